from __future__ import annotations

import pytest

from lispfast.lab.conditions import LabError, until


def test_the_answer_is_returned_once_it_is_true() -> None:
    answers = iter([0, None, "", "here", "never asked"])
    assert until(lambda: next(answers), 10, "an answer", poll=0) == "here"
    assert next(answers) == "never asked"


def test_it_asks_at_least_once_and_names_what_did_not_come() -> None:
    asked = []
    with pytest.raises(LabError, match="the moon: not within 0 s"):
        until(lambda: asked.append(1), 0, "the moon")
    assert asked == [1]
