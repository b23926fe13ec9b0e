"""When is a lifecycle hook told that its instance is still busy, and when that it is done?

The hook keeps the instance in `Terminating:Wait` until it is told to go on, or until its heartbeat
timeout is over. A heartbeat begins that time anew.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, Protocol

from kcl_py.errors import KclError
from kcl_py.hosts.notices import NoAnswer

HEARTBEAT_SECONDS: Final = 20.0
"""Below 30 s, the shortest heartbeat timeout. Source: PutLifecycleHook, HeartbeatTimeout."""

_log = logging.getLogger(__name__)


class LifecycleActions(Protocol):
    """What can be said to a hook. Each raises if it could not be said, best a KclError."""

    def heartbeat(self) -> None:
        """It is still busy."""

    def complete(self) -> bool:
        """It is done. False: no hook waited, as when it was told before."""


class Hook:
    """One hook, from the notice to the end of the drain. For one thread.

    Whatever fails is logged, and the drain goes on: without a word the hook goes on by itself after
    its timeout.

    Args:
        name: Of the hook, for the log.
        make: Finds out group and instance and makes the client; called once a notice has come.
    """

    def __init__(self, name: str, make: Callable[[], LifecycleActions]) -> None:
        self._name = name
        self._make = make
        self._actions: LifecycleActions | None = None
        self._next_beat: float | None = None

    @property
    def next_beat(self) -> float | None:
        """When to call `beat`; None: there is no need."""
        return self._next_beat

    def armed(self, now: float) -> None:
        """The instance is to end: from now on the hook waits for this worker."""
        self._next_beat = now + HEARTBEAT_SECONDS

    def beat(self, now: float) -> None:
        """Keep the hook waiting, if it is time."""
        if self._next_beat is None or now < self._next_beat:
            return
        self._next_beat = now + HEARTBEAT_SECONDS
        try:
            self._known_actions().heartbeat()
        except Exception as error:  # noqa: BLE001 - whatever it is, notices are watched and told
            facts = {"hook": self._name, "problem": _said(error)}
            _log.warning("lifecycle.heartbeat_failed", extra=facts)

    def complete(self) -> None:
        """The drain is over."""
        if self._next_beat is None:
            return
        self._next_beat = None
        try:
            was_waiting = self._known_actions().complete()
        except Exception as error:  # noqa: BLE001 - whatever it is, notices are watched and told
            facts = {"hook": self._name, "problem": _said(error)}
            _log.error("lifecycle.not_completed", extra=facts)
            return
        _log.info("lifecycle.completed", extra={"hook": self._name, "was_waiting": was_waiting})

    def _known_actions(self) -> LifecycleActions:
        if self._actions is None:
            self._actions = self._make()
        return self._actions


def _said(error: Exception) -> str:
    known = isinstance(error, KclError | NoAnswer)
    return str(error) if known else f"{type(error).__name__}: {error}"
