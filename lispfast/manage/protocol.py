"""The control socket's words: a JSON object a line each way, then the connection closes.

Request: `{"noun": "status"}`. Answer: `{"ok": true, "data": {...}}` or `{"ok": false, "error": "a sentence"}`.
What would be too long for one line comes in parts before it, `{"ok": true, "part": {...}}` each, and `data` ends them.
Nouns and keys are only ever added.
"""

from __future__ import annotations

import json

from lispfast.model.errors import LispfastError

MAX_REQUEST = 4096
"""Bytes of a request line; a longer one is refused."""


class RefusedError(LispfastError):
    """The daemon has no answer to a request; the text is the sentence that says so."""


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
    """A successful answer, or the end of one in parts."""
    return json.dumps({"ok": True, "data": data}).encode() + b"\n"


def encode_part(part: dict[str, object]) -> bytes:
    """A part of an answer that goes on."""
    return json.dumps({"ok": True, "part": part}).encode() + b"\n"


def encode_error(sentence: str) -> bytes:
    """A refusal."""
    return json.dumps({"ok": False, "error": sentence}).encode() + b"\n"


def decode_answer(line: bytes) -> tuple[dict[str, object], bool]:
    """The data or part of an answer, and whether that was the end of it.

    ValueError with the daemon's sentence, or ours when the answer makes no sense.
    """
    try:
        answer = json.loads(line)
    except ValueError:
        raise ValueError("the daemon's answer was cut short") from None
    if not isinstance(answer, dict):
        raise ValueError("the daemon's answer is not understood")
    last = "part" not in answer
    data = answer.get("data" if last else "part")
    if answer.get("ok") is not True or not isinstance(data, dict):
        raise ValueError(str(answer.get("error", "the daemon's answer is not understood")))
    return data, last
