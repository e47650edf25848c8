"""Tasks that last as long as the daemon: one that ends by itself is a fault, and is told as one."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


def lasting(work: Coroutine[Any, Any, None], lost: str) -> asyncio.Task[None]:
    """Start the work; an exception that ends it goes to the loop's exception handler as `lost`, with the task."""

    def report(task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            task.get_loop().call_exception_handler({"message": lost, "exception": error, "task": task})

    task = asyncio.get_running_loop().create_task(work)
    task.add_done_callback(report)
    return task
