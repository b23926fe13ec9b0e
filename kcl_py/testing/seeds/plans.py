"""What will a seed do to its world? All of it, as one value that can be read, cut down and kept."""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final, Literal

import msgspec

from kcl_py.config import DeliveryConfig, LeaseConfig, PollingConfig, WorkerConfig
from kcl_py.testing.seeds.swarm import (
    GivingUp,
    Scale,
    draw_config,
    draw_faults,
    draw_giving_up,
    draw_habits,
    draw_record_bytes,
    draw_scale,
    draw_user_records_max,
)
from kcl_py.testing.sim.code import Habits
from kcl_py.testing.sim.faults import Faults

if TYPE_CHECKING:
    from collections.abc import Sequence

Ending = Literal["heal", "drop", "recreate", "restore"]
"""How it ends: faults stop; or the table is deleted, made anew, or put back from a copy."""

DEED_NAMES: Final = (
    "kill",
    "kill_many",
    "restart",
    "stop",
    "join",
    "pause_briefly",
    "pause_long",
    "pause_at_the_edge",
    "pause_two",
    "cut",
    "cut_stream",
    "black_out",
    "ambush",
    "split",
    "merge",
    "roll",
    "jump",
    "misbehave",
    "trim",
)
"""What the nemesis does, but for meddling."""

MEDDLE: Final = "meddle"
"""Somebody writes by hand; apart, so that what a seed does stays what it was."""

MEDDLING_MAX: Final = 20
_KINDS_MAX: Final = 6
_TABLE_LOST: Final = 0.04
_OTHER_DURATION: Final = 0.2
_HAS_INDEX: Final = 0.9
_ON_WIRE: Final = 0.1


@dataclass(frozen=True, slots=True)
class Deed:
    """One thing that is done to the world.

    Attributes:
        at: True time, seconds.
        name: One of DEED_NAMES, or MEDDLE.
        seed: Whom it befalls, and for how long.
    """

    at: float
    name: str
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A world and its plague.

    Attributes:
        late_duration: Lease duration of whoever starts after the first workers, seconds.
        on_wire: Rows go through the codec and the engine's expressions; the log is the same.
        user_records_max: Writers pack so many user records into one record, or fewer.
        giving_up: Some records are poison, and this is done about them; None: none is. Not in the
            log of a world without.
    """

    seed: int
    scale: Scale
    leases: LeaseConfig
    delivery: DeliveryConfig
    reading: PollingConfig
    late_duration: float
    habits: Habits
    faults: Faults
    record_bytes: int | None
    has_index: bool
    deeds: tuple[Deed, ...]
    ending: Ending = "heal"
    on_wire: bool = False
    user_records_max: int = 1
    giving_up: GivingUp | None = field(default=None, repr=False)

    @property
    def config(self) -> WorkerConfig:
        """The configuration of the first workers."""
        config = WorkerConfig(leases=self.leases, delivery=self.delivery, reading=self.reading)
        return config if self.giving_up is None else self.giving_up.applied_to(config)

    @property
    def late_config(self) -> WorkerConfig:
        """The configuration of those who come later."""
        return replace(self.config, leases=replace(self.leases, duration=self.late_duration))


def draw_plan(seed: int) -> Plan:
    """Return the plan of a seed."""
    rng = random.Random(f"plan {seed}")
    scale = draw_scale(rng)
    config = draw_config(rng)
    factor = rng.choice((1.3, 2.0)) if rng.random() < _OTHER_DURATION else 1.0
    lost: tuple[Ending, ...] = ("drop", "recreate", "restore")
    return Plan(
        seed=seed,
        scale=scale,
        leases=config.leases,
        delivery=config.delivery,
        reading=config.reading,
        late_duration=config.leases.duration * factor,
        habits=draw_habits(rng),
        faults=draw_faults(rng),
        record_bytes=draw_record_bytes(rng),
        has_index=rng.random() < _HAS_INDEX,
        deeds=_draw_deeds(rng, scale.plague),
        ending=rng.choice(lost) if rng.random() < _TABLE_LOST else "heal",
        on_wire=rng.random() < _ON_WIRE,
        user_records_max=draw_user_records_max(seed),
        giving_up=draw_giving_up(seed),
    )


def meddled(plan: Plan) -> Plan:
    """Let somebody write by hand as well, at random moments; the table stays."""
    rng = random.Random(f"meddle {plan.seed}")
    deeds = [
        Deed(round(rng.uniform(0.0, plan.scale.plague), 3), MEDDLE, rng.getrandbits(32))
        for _ in range(rng.randint(1, MEDDLING_MAX))
    ]
    every = sorted((*plan.deeds, *deeds), key=lambda deed: deed.at)
    return replace(plan, deeds=tuple(every), ending="heal")


def _draw_deeds(rng: random.Random, until: float) -> tuple[Deed, ...]:
    """A random subset of the kinds, at random moments; ambushes are chosen most readily."""
    kinds = rng.sample((*DEED_NAMES, "ambush"), rng.randint(1, _KINDS_MAX))
    mean = rng.uniform(2.0, 15.0)
    deeds: list[Deed] = []
    at = rng.expovariate(1 / mean)
    while at < until:
        deeds.append(Deed(round(at, 3), rng.choice(kinds), rng.getrandbits(32)))
        at += rng.expovariate(1 / mean)
    return tuple(deeds)


def dump_plan(plan: Plan) -> bytes:
    """Return a plan as JSON, to be kept."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=1)


def load_plan(text: bytes) -> Plan:
    """Read what `dump_plan` wrote.

    Raises:
        msgspec.ValidationError: It is no plan.
    """
    return msgspec.json.decode(text, type=Plan)


def without(plan: Plan, deeds: Sequence[Deed]) -> Plan:
    """Return the plan without some of its deeds."""
    left = tuple(deed for deed in plan.deeds if deed not in deeds)
    return replace(plan, deeds=left)
