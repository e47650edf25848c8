from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lispfast.cli import ctl
from lispfast.cli.decode import MAX_DATAGRAM, MAX_TEXT, BadInputError, message, read_hex, render
from lispfast.cli.exits import Exit
from lispfast.model.errors import WireError
from lispfast.wire.message import decode
from lispfast.wire.text import describe

REQUEST = "10000001 0123456789abcdef 0001 ac100201 0001 0a000102 00 20 0001 ac100101"
PAYLOAD = bytes.fromhex(REQUEST)


@pytest.mark.parametrize(
    "text",
    [
        REQUEST,
        REQUEST.upper().replace(" ", "\n"),
        "0x" + PAYLOAD.hex(),
        PAYLOAD.hex(":"),
        PAYLOAD.hex("-"),
        f"\t0x0000:  {PAYLOAD[:16].hex(' ', 2)}\n\t0x0010:  {PAYLOAD[16:].hex(' ', 2)}\n",
        f"00000000: {PAYLOAD[:16].hex(' ')}\n00000010: {PAYLOAD[16:].hex(' ')}\n",
    ],
)
def test_digits_as_people_have_them(text: str) -> None:
    assert read_hex(text) == PAYLOAD


@given(st.binary(min_size=1, max_size=200), st.sampled_from([" ", ":", "-"]))
def test_digits_are_the_bytes_that_were_written(data: bytes, between: str) -> None:
    assert read_hex(data.hex(between)) == data


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "nothing to decode"),
        (" \n", "nothing to decode"),
        ("10zz", "'z' is no hexadecimal digit"),
        ("10\x1b[2J", r"'\x1b' is no hexadecimal digit"),
        ("١٢", r"'\u0661' is no hexadecimal digit"),
        ("100", "3 hexadecimal digits make no whole bytes"),
        ("00" * (MAX_DATAGRAM + 1), "65536 bytes are more than a datagram has"),
        (" " * (MAX_TEXT + 1), "is it one message?"),
    ],
)
def test_what_is_no_message_is_refused_in_a_sentence(text: str, said: str) -> None:
    with pytest.raises(BadInputError) as caught:
        read_hex(text)
    assert said in str(caught.value)


def test_a_message_field_by_field(capsys: pytest.CaptureFixture[str]) -> None:
    assert ctl.main(["decode", *REQUEST.split()]) == Exit.OK
    text = capsys.readouterr().out
    assert text.startswith(
        "type: map-request\nnonce: 0x0123456789abcdef\nsource-eid: 172.16.2.1\nitr-rlocs: 10.0.1.2\n"
    )
    assert "records 1:\n  eid-prefix: 172.16.1.1/32\n" in text
    assert "smr: no\n" in text


def test_from_standard_input_as_json(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(REQUEST))
    assert ctl.main(["decode", "--json"]) == Exit.OK
    assert json.loads(capsys.readouterr().out) == describe(decode(PAYLOAD))


@pytest.mark.parametrize(
    ("digits", "status", "said"),
    [
        ("1000", Exit.FAULT, "lispctl: cannot be decoded: first word at byte 0: needs 4 bytes, 2 are left\n"),
        ("f000", Exit.FAULT, "lispctl: cannot be decoded: "),
        ("no", Exit.USAGE, "lispctl: 'n' is no hexadecimal digit\n"),
    ],
)
def test_bad_input_has_a_status_and_a_sentence(
    capsys: pytest.CaptureFixture[str], digits: str, status: Exit, said: str
) -> None:
    assert ctl.main(["decode", digits]) == status
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith(said)
    assert printed.err.count("\n") == 1


def test_standard_input_that_is_no_text(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff\xfe"), encoding="utf-8"))
    assert ctl.main(["decode"]) == Exit.USAGE
    assert "can't decode byte 0xff" in capsys.readouterr().err


@given(st.integers(1, 8), st.binary(max_size=120))
def test_any_message_is_shown_on_printable_lines_or_refused(kind: int, rest: bytes) -> None:
    try:
        view = message(bytes([kind << 4]).hex() + rest.hex())
    except (WireError, BadInputError):
        return
    json.dumps(view)
    text = render(view)
    assert all(line.isprintable() for line in text.splitlines())
    assert text.count("\n") == len(text.splitlines()), "nothing inside of a value ends a line"


def test_it_works_without_a_daemon_and_without_the_runtime() -> None:
    code = (
        "import sys; from lispfast.cli import ctl; "
        f"ctl.main(['--socket', '/nowhere', 'decode', '{PAYLOAD.hex()}']); "
        "print(*[m for m in sys.modules if m.startswith(('lispfast.runtime', 'lispfast.control', 'asyncio'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("type: map-request\n")
    assert done.stdout.splitlines()[-1] == ""
