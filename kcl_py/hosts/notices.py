"""What may a machine say about its own end, and how is it read? Values and parsing only."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, Protocol, TypeAlias

__all__ = [
    "NoAnswer",
    "Notice",
    "NoticeKind",
    "NoticeSource",
    "parse_instance_action",
    "parse_lifecycle_state",
    "parse_rebalance",
    "parse_task_status",
]

NoticeKind: TypeAlias = Literal["spot", "lifecycle", "rebalance", "task", "other"]

TEXT_LENGTH_MAX: Final = 200
"""Of what is quoted from an answer."""

# Source: EC2 Auto Scaling, "Retrieve the target lifecycle state through instance metadata".
LEAVING_STATES: Final = frozenset(
    {"Terminated", "Warmed:Terminated", "Warmed:Stopped", "Warmed:Hibernated"}
)
STAYING_STATES: Final = frozenset({"InService", "Standby", "Detached", "Warmed:Running"})

# Source: EC2, "Spot Instance interruption notices".
SPOT_ACTIONS: Final = frozenset({"terminate", "stop", "hibernate"})


class NoAnswer(Exception):
    """A service of the machine could not be asked, or what it says cannot be read."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the machine says about its end.

    Attributes:
        kind: spot: EC2 takes the machine back, in two minutes at most. lifecycle: its Auto Scaling
            group ends it. rebalance: EC2 may take it back soon. task: ECS stops the task. other: of
            a source of your own.
        action: What will be done, in the words of the service.
        at: When, in the words of the service; None: it does not say.
    """

    kind: NoticeKind
    action: str
    at: str | None = None


class NoticeSource(Protocol):
    """Something that can be asked, again and again, whether there is a notice.

    Each question is put in a thread of its own, the next one 5 seconds after the answer. One that
    does not come back holds up nobody; it is told of after 10 seconds, and heeded when it does.
    """

    @property
    def name(self) -> str:
        """For the log, as `spot`; no two sources of a worker have the same."""

    def ask(self) -> Notice | None:
        """Ask once, for a second or two at most; None: there is no notice.

        Raises:
            NoAnswer: It could not be asked; it will be again, later.
        """


def parse_instance_action(text: str) -> Notice:
    """Read `spot/instance-action`, as {"action": "terminate", "time": "2017-09-18T08:22:00Z"}.

    Raises:
        NoAnswer: It is something else.
    """
    found = _mapping(text, "spot/instance-action")
    action = found.get("action")
    if not isinstance(action, str) or action not in SPOT_ACTIONS:
        raise _unreadable("spot/instance-action", text)
    return Notice("spot", action, _time(found, "time"))


def parse_rebalance(text: str) -> Notice:
    """Read `events/recommendations/rebalance`, as {"noticeTime": "2020-10-27T08:22:00Z"}.

    Raises:
        NoAnswer: It is something else.
    """
    found = _mapping(text, "events/recommendations/rebalance")
    at = _time(found, "noticeTime")
    if at is None:
        raise _unreadable("events/recommendations/rebalance", text)
    return Notice("rebalance", "rebalance", at)


def parse_lifecycle_state(text: str) -> Notice | None:
    """Read `autoscaling/target-lifecycle-state`, as `InService`; None: the machine stays.

    Raises:
        NoAnswer: It is no state that there is.
    """
    state = text.strip()
    if state in LEAVING_STATES:
        return Notice("lifecycle", state)
    if state in STAYING_STATES:
        return None
    raise _unreadable("autoscaling/target-lifecycle-state", text)


def parse_task_status(text: str) -> Notice | None:
    """Read `/task` of ECS: the desired status `STOPPED` is a notice.

    Raises:
        NoAnswer: It is something else.
    """
    desired = _mapping(text, "the task metadata").get("DesiredStatus")
    if not isinstance(desired, str):
        raise _unreadable("the task metadata", text)
    return Notice("task", desired) if desired == "STOPPED" else None


PARSERS: Final[Mapping[NoticeKind, Callable[[str], Notice | None]]] = {
    "spot": parse_instance_action,
    "lifecycle": parse_lifecycle_state,
    "rebalance": parse_rebalance,
    "task": parse_task_status,
}


def _mapping(text: str, what: str) -> Mapping[str, object]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise _unreadable(what, text) from None
    if not isinstance(found, dict):
        raise _unreadable(what, text)
    return found


def _time(found: Mapping[str, object], key: str) -> str | None:
    value = found.get(key)
    return value[:TEXT_LENGTH_MAX] if isinstance(value, str) else None


def _unreadable(what: str, text: str) -> NoAnswer:
    return NoAnswer(f"{what} says {text[:TEXT_LENGTH_MAX]!r}, which means nothing here")
