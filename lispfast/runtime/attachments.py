"""The host's addresses for a role that changes nothing of the host: watched, told as whole snapshots."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from lispfast.model.errors import HostError
from lispfast.model.underlay import Underlay
from lispfast.runtime.netlink import Netlink
from lispfast.runtime.netmon import Watch, survey
from lispfast.runtime.tasks import lasting

RETRY_S = 1.0
"""When the kernel would not answer, ask again: nothing else would wake us."""


class Attachments:
    """Watches every interface; `on_underlay` gets each snapshot that differs from the one before."""

    def __init__(self, on_underlay: Callable[[Underlay], None], on_warning: Callable[[str], None]) -> None:
        self._on_underlay = on_underlay
        self._on_warning = on_warning
        self._netlink = Netlink()
        self._news = asyncio.Event()
        self._underlay = Underlay()
        self._task: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Tell the first snapshot and begin to watch. HostError if the kernel does not answer."""
        await self._netlink.open(self._news.set)
        await self._look()
        self._task = lasting(self._follow(), "the host's addresses are no longer followed")

    async def close(self) -> None:
        """Watch no more; may be called twice."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
            self._task = None
        self._netlink.close()

    async def _follow(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._look()
            except (HostError, OSError) as error:
                self._on_warning(str(error))
                asyncio.get_running_loop().call_later(RETRY_S, self._news.set)

    async def _look(self) -> None:
        view = await self._netlink.view()
        names = tuple(link.name for link in view.links if link.name != "lo")
        underlay = survey(view, Watch(names), self._underlay)
        if underlay != self._underlay:
            self._underlay = underlay
            self._on_underlay(underlay)
