"""What does ECS say of this task? Its metadata, version 4."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from kcl_py.hosts.http import Answer, ask
from kcl_py.hosts.notices import NoAnswer, Notice, parse_task_status

_OK: Final = 200
_TASK_ID: Final = re.compile(r"[0-9A-Fa-f-]{8,40}")


@dataclass(frozen=True, slots=True)
class TaskFacts:
    """This container and its task.

    Attributes:
        task_id: The end of the task's ARN.
        container: Its name in the task definition.
    """

    task_id: str
    container: str


def parse_container(text: str) -> TaskFacts:
    """Read the metadata of a container, with the labels that ECS gives it.

    Raises:
        NoAnswer: It is something else.
    """
    try:
        found = json.loads(text)
        labels = found["Labels"]
        arn, name = labels["com.amazonaws.ecs.task-arn"], found.get("Name")
        name = labels.get("com.amazonaws.ecs.container-name") or name or ""
        task_id = arn.rpartition("/")[2]
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise NoAnswer(f"the container metadata of ECS cannot be read: {text[:200]!r}") from None
    if not _TASK_ID.fullmatch(task_id) or not isinstance(name, str):
        raise NoAnswer(f"the container metadata of ECS names no task: {arn!r}")
    return TaskFacts(task_id, name)


class Ecs:
    """Reads metadata.

    Args:
        url: What ECS_CONTAINER_METADATA_URI_V4 says.
        asking: Sends a request.
    """

    def __init__(self, url: str, *, asking: Callable[..., Answer] = ask) -> None:
        self._url = url.rstrip("/")
        self._ask = asking

    def get(self, path: str = "") -> str:
        """Read what is below the address, as `/task`.

        Raises:
            NoAnswer: Nobody answers, or not with this.
        """
        answer = self._ask(self._url + path)
        if answer.status != _OK:
            raise NoAnswer(f"the task metadata answers {path or '/'} with {answer.status}")
        return answer.body


@dataclass(frozen=True, slots=True)
class TaskNotices:
    """Whether ECS wants the task to stop; where an entry point keeps SIGTERM from the worker."""

    ecs: Ecs

    @property
    def name(self) -> str:
        """The kind of notice."""
        return "task"

    def ask(self) -> Notice | None:
        """Ask once."""
        return parse_task_status(self.ecs.get("/task"))


def parse_cpu_limit(text: str) -> float | None:
    """Cores that a task may use, from `/task`; None: it has no limit of its own.

    Raises:
        NoAnswer: It is something else.
    """
    try:
        limit = (_loads(text).get("Limits") or {}).get("CPU")
    except (ValueError, RecursionError, AttributeError):
        raise NoAnswer(f"the task metadata of ECS cannot be read: {text[:200]!r}") from None
    if isinstance(limit, bool) or not isinstance(limit, int | float) or limit <= 0:
        return None
    return _number(limit, "a limit of the task")


def parse_cpu_seconds(text: str) -> float:
    """CPU seconds that all containers of the task have used, from `/task/stats`.

    Raises:
        NoAnswer: It is something else, or there are none yet, as in the first second.
    """
    try:
        containers: Mapping[str, Mapping[str, Mapping[str, Mapping[str, int]]]] = _loads(text)
        used = [
            stats["cpu_stats"]["cpu_usage"]["total_usage"]
            for stats in containers.values()
            if stats  # null, while a container starts
        ]
        total = sum(used)
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        raise NoAnswer(f"the statistics of ECS cannot be read: {text[:200]!r}") from None
    if not used or total < 0:
        raise NoAnswer("ECS has no statistics of the task yet")
    return _number(total, "CPU time of the task") / 1e9


def _loads(text: str) -> Any:  # noqa: ANN401 - whatever it says
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _number(value: float, what: str) -> float:
    try:
        found = float(value)
    except OverflowError:
        found = math.inf
    if not math.isfinite(found):
        raise NoAnswer(f"ECS says {what} that is too large to be one")
    return found
