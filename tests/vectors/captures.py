"""Where the captures of other implementations lie: some here, some only beside the checkout."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lispfast.wire.encapsulated_control import EncapsulatedControl
from lispfast.wire.message import Message, decode

from .pcap import read_control

HERE = Path(__file__).parent / "data"
SHARED = Path(__file__).resolve().parents[3] / "shared" / "vectors"


def capture(name: str) -> Path:
    """The path of `folder/file`; skips the test when it is not on this machine."""
    path = HERE / name
    if not path.exists():
        path = SHARED / name
    if not path.exists():
        pytest.skip(f"{name} is not part of the project, and {SHARED} does not hold it")
    return path


def messages(name: str) -> Iterator[tuple[bytes, Message]]:
    """Every control message of a capture with its bytes; what is inside of an ECM follows it."""
    for payload in read_control(capture(name)):
        message = decode(payload)
        yield payload, message
        if isinstance(message, EncapsulatedControl):
            inner = message.inner().payload
            yield inner, decode(inner)
