"""How are notices of the machine heeded beside a worker?"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kcl_py.companions import Watched
from kcl_py.hosts.lifecycle import Hook
from kcl_py.hosts.notices import NoticeSource
from kcl_py.hosts.watch import NoticeWatch, by_name
from kcl_py.status import WorkerEvent


class Notices:
    """A companion that drains its worker when the machine says that it will end.

    Args:
        sources: Whom to ask, each 5 seconds.
        hook: Told once the drain is over.
        drain_on_rebalance: Whether the early hint of EC2 drains.

    Raises:
        ConfigError: One is no source, or two have one name.
    """

    def __init__(
        self,
        sources: Sequence[NoticeSource],
        *,
        hook: Hook | None = None,
        drain_on_rebalance: bool = False,
    ) -> None:
        by_name(sources)
        self._make: Callable[[Watched], NoticeWatch] = lambda worker: NoticeWatch(
            sources, worker.request_stop, hook=hook, drain_on_rebalance=drain_on_rebalance
        )
        self._watch: NoticeWatch | None = None

    def start(self, worker: Watched) -> None:
        """Begin to ask."""
        self._watch = self._make(worker)
        self._watch.start()

    def hear(self, event: WorkerEvent) -> None:
        """Nothing that the worker says matters here."""

    def close(self) -> None:
        """The worker has ended: ask no more, and tell the hook."""
        if self._watch is not None:
            self._watch.finish()
