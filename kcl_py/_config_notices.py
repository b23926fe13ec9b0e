"""Which notices of its machine does a worker heed?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, final

from kcl_py.errors import ConfigError

__all__ = ["NoticeConfig"]


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeConfig:
    """Which notices of its machine start a drain. `kcl run` heeds them; in code, `companions_for`.

    Attributes:
        watch: auto: what the environment shows: the metadata of EC2 on an instance of EC2, the
            desired status of the task on ECS, nothing elsewhere and on Kubernetes. ec2: the
            metadata of EC2, wherever this runs. off: none.
        drain_on_rebalance: Drain also when EC2 says that it may take a Spot instance back soon;
            otherwise that is only logged.
        lifecycle_hook: The hook of the Auto Scaling group that waits for the drain: it is kept
            waiting, and told when the drain is over. None: nobody is told.
        auto_scaling_group: Of the hook; None: as the instance's tags in its metadata say.
    """

    watch: Literal["auto", "ec2", "off"] = "auto"
    drain_on_rebalance: bool = False
    lifecycle_hook: str | None = None
    auto_scaling_group: str | None = None

    def __post_init__(self) -> None:
        if self.watch not in ("auto", "ec2", "off"):
            raise ConfigError(
                f"notices.watch = {self.watch!r} is unknown; use 'auto', 'ec2' or 'off'"
            )
        for name in ("lifecycle_hook", "auto_scaling_group"):
            if getattr(self, name) == "":
                raise ConfigError(f"notices.{name} is empty; give its name, or none")
