"""After what is a worker named that nobody gave a name? After its task or instance."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from kcl_py.config import WorkerConfig
from kcl_py.hosts.ecs import Ecs, TaskFacts, parse_container
from kcl_py.hosts.imds import INSTANCE_ID_PATH, Imds
from kcl_py.hosts.notices import NoAnswer
from kcl_py.hosts.places import (
    ECS_VARIABLE,
    INSTANCE_ID,
    Hints,
    imds_endpoint,
    instance_id_of,
    place_of,
)

NAME_LENGTH_MAX: Final = 64
WAIT_SECONDS: Final = 1.0
"""A start waits no longer for a name: it is for people, and the host's name does as well."""

_SYS: Final = Path("/sys")
_FORBIDDEN: Final = re.compile(r"[^A-Za-z0-9_.-]+")


def named_after_host(
    config: WorkerConfig, env: Mapping[str, str], *, sys: Path = _SYS, wait: float = WAIT_SECONDS
) -> WorkerConfig:
    """A configuration with the name of the ECS task or EC2 instance, unless it has a name.

    Waits a second at most, and only where the environment says that somebody will answer. Without
    an answer it is what it was, and the worker is named after its host.
    """
    if config.worker_name is not None:
        return config
    name = _within(lambda: find_name(env, read_hints(sys)), wait)
    return config if name is None else replace(config, worker_name=name)


def find_name(env: Mapping[str, str], hints: Hints) -> str | None:
    """The name that the place gives; None: it gives none."""
    place = place_of(env, hints)
    try:
        if place == "ecs":
            return task_name(parse_container(Ecs(env[ECS_VARIABLE]).get()))
        if place == "ec2":
            return instance_id_of(hints) or _ask_instance_id(env)
    except NoAnswer:
        return None  # as where nobody can be asked; the notices will say more
    return None


def task_name(facts: TaskFacts) -> str:
    """`<task id>-<container>`, within the rules of `worker_name`; the id is kept whole."""
    return _FORBIDDEN.sub("-", f"{facts.task_id}-{facts.container}")[:NAME_LENGTH_MAX].rstrip("-")


def read_hints(sys: Path = _SYS) -> Hints:
    """What Linux shows of the firmware."""
    dmi = sys / "class" / "dmi" / "id"
    return Hints(
        vendor=_text(dmi / "sys_vendor"),
        asset_tag=_text(dmi / "board_asset_tag"),
        hypervisor=_text(sys / "hypervisor" / "uuid"),
    )


def _ask_instance_id(env: Mapping[str, str]) -> str | None:
    endpoint = imds_endpoint(env)
    if endpoint is None:
        return None
    found = (Imds(endpoint).get(INSTANCE_ID_PATH) or "").strip()
    return found if INSTANCE_ID.fullmatch(found) else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return ""


def _within(ask: Callable[[], str | None], seconds: float) -> str | None:
    """What a question brings within so many seconds; None: nothing, whatever the reason."""
    found: list[str | None] = []
    thread = threading.Thread(target=lambda: found.append(ask()), name="kcl-name", daemon=True)
    thread.start()
    thread.join(seconds)
    return found[0] if found else None
