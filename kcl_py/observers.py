"""Which companions does a worker's configuration ask for?"""

from __future__ import annotations

from collections.abc import Sequence

from kcl_py.companions import Companion
from kcl_py.config import WorkerConfig
from kcl_py.health.companion import Health
from kcl_py.metrics.prometheus import exposition
from kcl_py.shell.clock import SYSTEM_CLOCK

__all__ = ["observers"]


def observers(config: WorkerConfig, app_name: str) -> Sequence[Companion]:
    """Make them; none is started, and nothing is connected."""
    found: list[Companion] = []
    if config.health.port is not None or config.health.file is not None:
        found.append(
            Health(
                config.health,
                now=SYSTEM_CLOCK.now,
                exposition=lambda status: exposition(status, app_name),
            )
        )
    return found
