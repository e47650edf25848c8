"""The text of one value as what its key holds; what does not fit raises BadValueError: why, and what would fit."""

from __future__ import annotations

import re
from ipaddress import IPv4Address, ip_address, ip_interface, ip_network

from lispfast.config.grammar import Value
from lispfast.config.problems import did_you_mean, quote
from lispfast.config.rows import Kind, Option
from lispfast.config.schema import AUTO, MAX_INSTANCE_ID
from lispfast.model.addresses import Address, EidPrefix, Network
from lispfast.model.settings import KeyType
from lispfast.model.units import InstanceId

# From the kernel.
INTERFACE_NAME_LENGTH = 15  # IFNAMSIZ less its closing zero
SOCKET_PATH_LENGTH = 107  # sun_path less its closing zero

# Ours.
TUNNEL_INTERFACE = "lmn0"
MAX_SECRET = 255  # bytes; longer keys are hashed down by HMAC anyway

_NUMBER = re.compile(r"-?(?:0[xX][0-9A-Fa-f]{1,16}|[0-9]{1,20})")
_TRUE = ("on", "true", "yes")
_FALSE = ("off", "false", "no")
_CLEARTEXT = "0"
_BROADCAST = IPv4Address("255.255.255.255")
_PLACEHOLDER_WORDS = ("address",)
_ADDRESSES = (Kind.ADDRESS, Kind.LOCATOR)
_ASKED = {
    Kind.ADDRESS: "put an address here",
    Kind.LOCATOR: "put an address or an elp-name here",
    Kind.HEX: "put hexadecimal digits here",
    Kind.PREFIX: "put an EID-prefix here: address/length",
    Kind.NUMBER: "put a number here",
    Kind.COUNT: "put auto or a number here",
    Kind.FLAG: "put on or off here",
    Kind.INTERFACE: "put an interface name here",
    Kind.SECRET: "put a password here, in quotes if it has spaces",
    Kind.PATH: "put a path here",
}


class BadValueError(ValueError):
    """A value that does not fit its key: `hint` is what to do about it."""

    def __init__(self, text: str, hint: str = "") -> None:
        super().__init__(text)
        self.text = text
        self.hint = hint


def refuse_placeholder(value: Value, option: Option) -> None:
    """Raise where an example's words still stand in place of a value."""
    word = not value.quoted and option.kind in _ADDRESSES and value.text.lower() in _PLACEHOLDER_WORDS
    if not value.placeholder and not word:
        return
    asked = f"put {' or '.join(option.choices)} here" if option.choices else _ASKED.get(option.kind, "put a value here")
    inner = value.text.strip("[<>]")
    hint = f'did you mean "{inner}"?' if option.kind in _ADDRESSES and looks_like_address(inner) else ""
    # What stands in the place of a password may be one, of several words.
    shown = "in place of a password" if option.kind is Kind.SECRET else quote(value.text)
    raise BadValueError(f"placeholder {shown}: {asked}", hint)


def looks_like_address(text: str) -> bool:
    """Whether the text is an IPv4 or IPv6 address of any sort."""
    try:
        return bool(ip_address(text))
    except ValueError:
        return False


def read_address(text: str) -> Address:
    """An address that a unicast packet can be sent to from outside its link."""
    try:
        address = ip_address(text)
    except ValueError:
        names = bool(re.fullmatch(r"[A-Za-z][\w-]*(\.[\w-]+)+\.?", text, re.ASCII))
        hint = "names are not looked up: put its IPv4 or IPv6 address here" if names else ""
        raise BadValueError(f"{quote(text)} is no IPv4 or IPv6 address", hint) from None
    if address.is_unspecified or address.is_multicast or address == _BROADCAST:
        raise BadValueError(f"{quote(text)} is no unicast address")
    if address.version == 6 and address.scope_id is not None:
        raise BadValueError(f"{quote(text)} has a zone", "leave out the part from % on")
    if address.is_link_local:
        raise BadValueError(f"{quote(text)} is link-local: it means nothing beyond its link")
    return address


def read_prefix(text: str, iid: int) -> EidPrefix:
    """An EID-prefix: unicast, with its length and without host bits."""
    network: Network
    if "/" not in text:
        if not looks_like_address(text) or "%" in text:
            raise BadValueError(f"{quote(text)} is no EID-prefix", "address/length")
        raise BadValueError(f"{quote(text)} has no length", f'did you mean "{ip_network(text)}"?')
    if not re.fullmatch(r"[0-9]{1,3}", text.partition("/")[2], re.ASCII):
        raise BadValueError(f"{quote(text)} is no EID-prefix", "address/length, the length in bits")
    try:
        network = ip_network(text)
    except ValueError:
        network = _without_host_bits(text)
        raise BadValueError(f"{quote(text)} has bits set beyond its length", f'did you mean "{network}"?') from None
    for word, found in (
        ("multicast", network.is_multicast),
        ("loopback", network.is_loopback),
        ("link-local", network.is_link_local),
        ("unspecified", network.is_unspecified),
    ):
        if found:
            raise BadValueError(f"{quote(text)} is {word}: no EID can be in it")
    if network.version == 6 and getattr(network.network_address, "scope_id", None) is not None:
        raise BadValueError(f"{quote(text)} has a zone", "leave out the part from % on")
    return EidPrefix(network, InstanceId(iid))


def _without_host_bits(text: str) -> Network:
    """The prefix that a text with host bits means; BadValueError where it means none."""
    try:
        return ip_interface(text).network
    except ValueError:
        raise BadValueError(f"{quote(text)} is no EID-prefix", "address/length") from None


def read_number(text: str, low: int, high: int) -> int:
    """A decimal or hexadecimal number within a range."""
    if not _NUMBER.fullmatch(text):
        raise BadValueError(f"{quote(text)} is no number", f"{low} to {high}")
    digits = text.lstrip("-")
    if len(digits) > 1 and digits.isdigit() and digits[0] == "0":
        raise BadValueError(f"{quote(text)} starts with 0, which libconfuse reads as octal", f"{int(text)}?")
    number = int(text, 16 if digits[:2].lower() == "0x" else 10)
    if not low <= number <= high:
        raise BadValueError(f"{quote(text)} is out of range", f"{low} to {high}")
    return number


def read_count(text: str, low: int, high: int) -> int:
    """A number within a range, or 0 for `auto`."""
    if text.lower() == AUTO:
        return 0
    if _NUMBER.fullmatch(text):
        return read_number(text, low, high)
    hint = did_you_mean(text, (AUTO,)) or f"auto, or {low} to {high}"
    raise BadValueError(f"{quote(text)} is neither auto nor a number", hint)


def read_eid_prefix(text: str) -> EidPrefix:
    """An EID-prefix whose instance-ID stands in brackets before it, as in [7]192.0.2.0/24; 0 without."""
    found = re.fullmatch(r"\[([^\]]*)\](.*)", text, re.DOTALL)
    if found is None:
        return read_prefix(text, 0)
    return read_prefix(found[2], read_number(found[1], 0, MAX_INSTANCE_ID))


def read_digits(text: str, count: int) -> bytes:
    """So many hexadecimal digits, with or without dashes between them, as half as many bytes."""
    digits = text.replace("-", "")
    if not re.fullmatch(r"[0-9A-Fa-f]*", digits):
        raise BadValueError(f"{quote(text)} is not all hexadecimal digits", f"{count} of them, dashes between allowed")
    if len(digits) != count:
        raise BadValueError(f"{quote(text)} has {len(digits)} hexadecimal digits", f"it needs {count}")
    return bytes.fromhex(digits)


def read_flag(text: str) -> bool:
    """A boolean as libconfuse spells them, in any case."""
    word = text.lower()
    if word not in _TRUE + _FALSE:
        raise BadValueError(f"{quote(text)} is neither on nor off", "on, true, yes or off, false, no")
    return word in _TRUE


def read_choice(text: str, choices: tuple[str, ...]) -> str:
    """The choice that the text names, in any case."""
    for choice in choices:
        if choice.lower() == text.lower():
            return choice
    hint = did_you_mean(text, [choice.lower() for choice in choices]) or "one of " + ", ".join(choices)
    raise BadValueError(f"{quote(text)} is not known here", hint)


def read_key_type(text: str, known: dict[str, KeyType]) -> KeyType:
    """The algorithm of a key-type by number or name; no authentication at all only by its name."""
    if text == _CLEARTEXT:
        raise BadValueError("key-type 0 is cleartext", "use 2, or none to go without a password")
    return known[read_choice(text, tuple(known))]


def read_secret(text: str) -> bytes:
    """A password as the bytes that stood in the file."""
    secret = text.encode("utf-8", "surrogateescape")
    if not secret:
        raise BadValueError("the key is empty")
    if len(secret) > MAX_SECRET:
        raise BadValueError(f"the key is longer than {MAX_SECRET} bytes")
    return secret


def read_interface(text: str) -> str:
    """The name of a physical interface, as far as a name can tell."""
    if not text or not text.isprintable() or text in (".", "..") or re.search(r"[\s/:]", text):
        raise BadValueError(f"{quote(text)} is no interface name")
    if len(text.encode("utf-8", "surrogateescape")) > INTERFACE_NAME_LENGTH:
        raise BadValueError(f"{quote(text)} is no interface name", f"at most {INTERFACE_NAME_LENGTH} characters")
    if text == TUNNEL_INTERFACE:
        raise BadValueError(f"{quote(text)} is the tunnel's own interface", "name a physical interface")
    return text


def read_path(text: str, longest: int = 4095) -> str:
    """An absolute path: a daemon's working directory is an accident."""
    if not text.startswith("/") or "\0" in text:
        raise BadValueError(f"{quote(text)} is no absolute path", "start it with /")
    if len(text.encode("utf-8", "surrogateescape")) > longest:
        raise BadValueError(f"{quote(text)} is too long", f"at most {longest} bytes")
    return text
