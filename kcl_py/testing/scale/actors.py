"""What is one lease, and one worker, in the reduced model? State without behaviour."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TYPE_CHECKING

from kcl_py.config import LeaseConfig

if TYPE_CHECKING:
    from kcl_py.testing.scale.table import Snapshot

SCANS_KEPT = 8
"""Scans that a worker remembers: those of two lease durations, with room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumptions:
    """What the surroundings of the workers are like. All times are seconds.

    Attributes:
        latency: Shortest and longest way of a request, there and back.
        slow: Chance of a request that takes `slow_seconds` longer.
        drain: Shortest and longest time until user code of a shard has stopped.
        index_lag: Shortest and longest time until the index knows of a write.
        tick: Scans within so many seconds of each other see the table at the same instant, so that
            one plan serves them all; 0: every scan sees its own.
        idle: Time between two reads of a shard at its tip.
    """

    leases: LeaseConfig = field(default_factory=LeaseConfig)
    latency: tuple[float, float] = (0.005, 0.030)
    slow: float = 0.003
    slow_seconds: float = 1.0
    drain: tuple[float, float] = (0.2, 2.0)
    index_lag: tuple[float, float] = (0.01, 0.1)
    tick: float = 0.0
    idle: float = 1.0


class State(Enum):
    """Where a lease stands in the table."""

    HELD = auto()
    ASKED = auto()
    """Held by its owner, and asked for by its taker."""
    OFFERED = auto()
    """Given away to its taker, who has not taken it yet."""
    FREE = auto()
    FROZEN = auto()
    """Its owner is dead; nobody has taken it yet."""
    ENDED = auto()


class Lease:
    """One lease row.

    Attributes:
        owner: Its actual owner; the last one, if it is free or frozen.
        taker: Who asked for it, or to whom it is offered.
        phase: An instant at which its owner renewed it.
        epoch: Counts its changes, so that what was meant for an earlier state is dropped.
        dark_since: When its last record was finished, while nobody processes it.
        parent: Must be ENDED before it is processed.
    """

    __slots__ = (
        "dark_since",
        "epoch",
        "index",
        "key",
        "owner",
        "parent",
        "phase",
        "state",
        "taker",
    )

    def __init__(self, index: int, parent: Lease | None = None) -> None:
        self.index = index
        self.key = f"shardId-{index:012d}"
        self.state = State.FREE
        self.owner: Worker | None = None
        self.taker: Worker | None = None
        self.phase = 0.0
        self.epoch = 0
        self.dark_since = 0.0
        self.parent = parent


class Worker:
    """One process.

    Attributes:
        token: A random number; the sum over a set of workers stands for the set.
        began: When its row came into being, which is when its beats are counted from.
        died_at: When it was killed.
        leaving: It was told to stop.
        fresh: It has scanned only once, so that it has seen nobody move yet.
        unknown: Workers of which it has not seen anything move yet, and since when it sees them.
        joiners_seen: How many of the fleet's newcomers it has come across.
        members: Sum of the tokens of all that it counts as running.
        count: Leases that count for it in the plan.
        handled: Frozen leases that it has taken or looked at.
        denied: Leases not to be asked for, and until when.
        reads_until: When the reads of single rows that it has sent are all answered.
    """

    __slots__ = (
        "alive", "asked", "began", "count", "denied", "died_at", "fresh", "handled", "id",
        "interval", "joiners_seen", "leases", "leaving", "left", "member_count", "members",
        "number", "reads_until", "ready", "round_at", "round_left", "scans",
        "settled_since", "snapshot", "token", "took_at", "unknown",
    )  # fmt: skip

    def __init__(self, number: int, token: int, began: float) -> None:
        self.number = number
        self.id = f"worker-{number}-{token % 2**32:08x}"
        self.token = token
        self.began = began
        self.alive = True
        self.died_at: float | None = None
        self.leaving = False
        self.left = False
        self.ready = False
        self.fresh = True
        self.took_at: float | None = None
        self.scans: deque[float] = deque(maxlen=SCANS_KEPT)
        self.snapshot: Snapshot | None = None
        self.unknown: dict[Worker, float] = {}
        self.joiners_seen = 0
        self.members = 0
        self.member_count = 1
        self.settled_since = began
        self.interval = 0.0
        self.leases: dict[int, Lease] = {}
        self.count = 0
        self.asked: set[int] = set()
        self.handled: set[int] = set()
        self.denied: dict[int, float] = {}
        self.reads_until = 0.0
        self.round_at = 0.0
        self.round_left = 0

    @property
    def runs(self) -> bool:
        """It is up and means to stay."""
        return self.alive and not self.leaving
