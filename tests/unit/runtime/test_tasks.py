from __future__ import annotations

import asyncio
from typing import Any

from lispfast.runtime.tasks import lasting


def test_a_lasting_task_that_fails_is_told_at_once_and_one_that_is_cancelled_is_not() -> None:
    async def scene() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda loop, context: told.append(context))

        async def fail() -> None:
            raise ValueError("broken")

        async def wait() -> None:
            await asyncio.Event().wait()

        tasks = [lasting(fail(), "the work is lost"), lasting(wait(), "nobody hears this")]
        await asyncio.wait(tasks[:1])
        tasks[1].cancel()
        await asyncio.wait(tasks)
        return told

    (context,) = asyncio.run(scene())
    assert (context["message"], str(context["exception"])) == ("the work is lost", "broken")
    assert "task" in context
