"""What runs beside a worker because of where it runs? Composed from settings and environment."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from kcl_py._config_notices import NoticeConfig
from kcl_py._environment import process_environment
from kcl_py.companions import Companion
from kcl_py.config import WorkerConfig
from kcl_py.errors import ConfigError
from kcl_py.hosts.companion import Notices
from kcl_py.hosts.ecs import Ecs, TaskNotices
from kcl_py.hosts.identity import read_hints
from kcl_py.hosts.imds import GROUP_PATH, INSTANCE_ID_PATH, REGION_PATH, Imds, ImdsNotices
from kcl_py.hosts.lifecycle import Hook, LifecycleActions
from kcl_py.hosts.notices import NoAnswer, NoticeSource
from kcl_py.hosts.places import DISABLED_VARIABLE, ECS_VARIABLE, Hints, imds_endpoint, place_of
from kcl_py.hosts.systemd import SystemdNotifier, address_of
from kcl_py.hosts.watch import NoticeWatch

if TYPE_CHECKING:
    import boto3.session

MakeSession: TypeAlias = Callable[[], "boto3.session.Session | None"]

_log = logging.getLogger(__name__)


def _default_session() -> None:
    """None: the default chain of boto3."""


@dataclass(frozen=True, slots=True)
class NoticePlan:
    """Whom to ask for notices, and what then.

    Attributes:
        hook: Told once the drain is over; None: nobody is.
    """

    sources: Sequence[NoticeSource]
    hook: Hook | None
    drain_on_rebalance: bool

    def watch(self, drain: Callable[[], None]) -> NoticeWatch:
        """What asks, once it is started; for whoever is no worker, as who keeps several running."""
        return NoticeWatch(
            self.sources, drain, hook=self.hook, drain_on_rebalance=self.drain_on_rebalance
        )

    def companion(self) -> Notices:
        """The same beside one worker."""
        return Notices(self.sources, hook=self.hook, drain_on_rebalance=self.drain_on_rebalance)


def companions_for(
    config: WorkerConfig,
    *,
    env: Mapping[str, str] | None = None,
    session: boto3.session.Session | None = None,
) -> list[Companion]:
    """What `kcl run` starts beside its worker: notices of the machine, and word to systemd.

    Args:
        config: Its `notices`, and its region.
        env: None: the environment of this process.
        session: For the lifecycle hook; None: the default chain of boto3.

    Raises:
        ConfigError: What is asked for is forbidden by the environment.
    """
    found = process_environment() if env is None else env
    made: list[Companion] = []
    plan = notice_plan(config, found, read_hints(), lambda: session)
    if plan is not None:
        made.append(plan.companion())
    address = address_of(found, os.getpid())
    if address is not None:
        made.append(SystemdNotifier(address))
    return made


def notice_plan(
    config: WorkerConfig,
    env: Mapping[str, str],
    hints: Hints,
    make_session: MakeSession = _default_session,
) -> NoticePlan | None:
    """Whom to ask; None: nobody.

    Args:
        config: Its `notices`, and its region.
        env: Environment variables.
        hints: What the firmware says.
        make_session: Called once the lifecycle hook has something to hear, and not before.

    Raises:
        ConfigError: `notices.watch` is ec2, and the environment forbids to ask.
    """
    notices, endpoint, place = config.notices, imds_endpoint(env), place_of(env, hints)
    if notices.watch == "ec2" and endpoint is None:
        raise ConfigError(
            f"notices.watch is ec2, but {DISABLED_VARIABLE} forbids to ask the metadata service; "
            "unset that, or set notices.watch=off"
        )
    if endpoint is not None and place == "ec2" and notices.watch == "auto":
        return _plan_of_ec2(config, endpoint, make_session)
    if endpoint is not None and notices.watch == "ec2":
        return _plan_of_ec2(config, endpoint, make_session)
    if notices.lifecycle_hook is not None:
        because = _why_unwatched(notices, is_forbidden=endpoint is None)
        facts = {"because": because, "hook": notices.lifecycle_hook}
        _log.warning("notices.unwatched", extra=facts)
    if notices.watch == "auto" and place == "ecs":
        return NoticePlan([TaskNotices(Ecs(env[ECS_VARIABLE]))], None, drain_on_rebalance=False)
    return None


def _plan_of_ec2(config: WorkerConfig, endpoint: str, make_session: MakeSession) -> NoticePlan:
    imds, notices = Imds(endpoint), config.notices
    hook = None
    if notices.lifecycle_hook is not None:
        name = notices.lifecycle_hook
        hook = Hook(name, lambda: _actions(config, imds, name, make_session))
    return NoticePlan(
        [ImdsNotices(kind, imds) for kind in ("spot", "lifecycle", "rebalance")],
        hook,
        drain_on_rebalance=notices.drain_on_rebalance,
    )


def _why_unwatched(notices: NoticeConfig, *, is_forbidden: bool) -> str:
    if notices.watch == "off":
        return "notices.watch is off"
    return f"{DISABLED_VARIABLE} is set" if is_forbidden else "this is no EC2 instance"


def _actions(
    config: WorkerConfig, imds: Imds, hook: str, make_session: MakeSession
) -> LifecycleActions:
    """Find out whom the hook waits for; in the thread of the watch, since it may take a moment."""
    from kcl_py.aws.lifecycle import AutoScalingActions  # noqa: PLC0415 - rarely needed, and slow

    instance = (imds.get(INSTANCE_ID_PATH) or "").strip()
    group = config.notices.auto_scaling_group or (imds.get(GROUP_PATH) or "").strip()
    if not instance or not group:
        raise NoAnswer(
            "the metadata names no Auto Scaling group; enable InstanceMetadataTags in the launch "
            "template, or set notices.auto_scaling_group"
        )
    region = config.region or (imds.get(REGION_PATH) or "").strip() or None
    return AutoScalingActions(
        session=make_session(), region=region, group=group, hook=hook, instance=instance
    )
