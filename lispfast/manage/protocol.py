"""The control socket's words: a JSON object a line each way, then the connection closes.

Request: `{"noun": "status"}`. Answer: `{"ok": true, "data": {...}}` or `{"ok": false, "error": "a sentence"}`.
Nouns and keys are only ever added.
"""

from __future__ import annotations

import json

MAX_REQUEST = 4096
"""Bytes of a request line; a longer one is refused."""


def encode_request(noun: str) -> bytes:
    """A request for the state under a noun."""
    return json.dumps({"noun": noun}).encode() + b"\n"


def decode_request(line: bytes) -> str:
    """The noun of a request; ValueError with a sentence for anything else."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        raise ValueError("the request is not JSON") from None
    noun = request.get("noun") if isinstance(request, dict) else None
    if not isinstance(noun, str):
        raise ValueError("the request names no noun")
    return noun


def encode_answer(data: dict[str, object]) -> bytes:
    """A successful answer."""
    return json.dumps({"ok": True, "data": data}).encode() + b"\n"


def encode_error(sentence: str) -> bytes:
    """A refusal."""
    return json.dumps({"ok": False, "error": sentence}).encode() + b"\n"


def decode_answer(line: bytes) -> dict[str, object]:
    """The data of an answer; ValueError with the daemon's sentence, or ours when the answer makes no sense."""
    try:
        answer = json.loads(line)
    except ValueError:
        raise ValueError("the daemon's answer was cut short") from None
    if not isinstance(answer, dict):
        raise ValueError("the daemon's answer is not understood")
    data = answer.get("data")
    if answer.get("ok") is not True or not isinstance(data, dict):
        raise ValueError(str(answer.get("error", "the daemon's answer is not understood")))
    return data
