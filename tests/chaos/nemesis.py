"""How are the deeds of a plan done to real processes? One loop, one thread."""

from __future__ import annotations

import heapq
import itertools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from kcl_py.cli.demo.world import World
from kcl_py.shell.clock import SYSTEM_CLOCK
from tests.chaos.crew import AGAIN_SECONDS, EVERYBODY, Crew
from tests.chaos.deed import Deed
from tests.chaos.hogs import Hogs
from tests.chaos.hunts import Hunts
from tests.chaos.plan import WORKERS_MAX, WORKERS_MIN, Plan
from tests.chaos.resharding import Resharding
from tests.chaos.troubles import Troubles
from tests.process.fleets import key_of

NAP_SECONDS: Final = 0.02
LIVING_MIN: Final = 2
"""With fewer that are awake nobody else is killed, stopped or told to end."""


@dataclass(slots=True)
class Nemesis:
    """Does what the plan says.

    Attributes:
        done: How many deeds of each kind were done.
        left_out: How many were not, because the fleet or the stream was too small or too large.
    """

    world: World
    plan: Plan
    crew: Crew
    troubles: Troubles
    hogs: Hogs
    say: Callable[[str], None]
    done: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    _later: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _hunts: Hunts = field(init=False)
    _stream: Resharding = field(init=False)

    def __post_init__(self) -> None:
        self._hunts = Hunts(self.world)
        self._stream = Resharding(self.world, self.say)

    def run(self) -> None:
        """Do all deeds, each at its time."""
        begun = SYSTEM_CLOCK.now()
        for deed in self.plan.deeds:
            self._at(begun + deed.at, self._doing(deed))
        while SYSTEM_CLOCK.now() < begun + self.plan.seconds:
            self._tick()
            time.sleep(NAP_SECONDS)

    def heal(self) -> None:
        """Nothing goes wrong any more: no faults, nobody asleep, nobody missing."""
        self._later.clear()
        self._hunts.end_all()
        self.troubles.end_all()
        self.hogs.end()
        for name in sorted(self.crew.frozen):
            self.crew.thaw(name)
        self.crew.size = max(self.crew.size, WORKERS_MIN)

    # ------------------------------------------------------------------------------------ the loop

    def _at(self, at: float, do: Callable[[], None]) -> None:
        heapq.heappush(self._later, (at, next(self._numbers), do))

    def _after(self, seconds: float, do: Callable[[], None]) -> None:
        self._at(SYSTEM_CLOCK.now() + seconds, do)

    def _tick(self) -> None:
        while self._later and self._later[0][0] <= SYSTEM_CLOCK.now():
            heapq.heappop(self._later)[2]()
        if self.crew.look():
            self._after(AGAIN_SECONDS, self.crew.fill)
        self.world.pump()
        for deed, name in self._hunts.strikes():
            self._strike(deed, name)

    def _doing(self, deed: Deed) -> Callable[[], None]:
        def do() -> None:
            self.say(deed.describe())
            is_done = DEEDS[deed.kind](self, deed)
            (self.done if is_done else self.left_out)[deed.kind] += 1

        return do

    # ----------------------------------------------------------------------------- to the processes

    def _victim(self, deed: Deed) -> str | None:
        """The worker that is meant; None: too few are awake."""
        living = self.crew.living
        if len(living) < LIVING_MIN:
            return None
        return self._named(living, deed)

    def _named(self, living: Sequence[str], deed: Deed) -> str:
        name = living[deed.target % len(living)]
        self.say(f"         {deed.kind}: {name}")
        return name

    def kill(self, deed: Deed) -> bool:
        """`kill -9`; replaced after a while."""
        name = self._victim(deed)
        if name is None:
            return False
        self.crew.kill(name)
        self._after(deed.seconds, self.crew.fill)
        return True

    def terminate(self, deed: Deed) -> bool:
        """SIGTERM; replaced after a while."""
        name = self._victim(deed)
        if name is None:
            return False
        self.crew.terminate(name)
        self._after(deed.seconds, self.crew.fill)
        return True

    def kill_all(self, deed: Deed) -> bool:
        """`kill -9` of everybody who is awake; replaced after a while."""
        living = self.crew.living
        for name in living:
            self.crew.kill(name)
        self._after(deed.seconds, self.crew.fill)
        return bool(living)

    def terminate_all(self, deed: Deed) -> bool:
        """SIGTERM to everybody who is awake; replaced after a while."""
        living = self.crew.living
        for name in living:
            self.crew.terminate(name)
        self._after(deed.seconds, self.crew.fill)
        return bool(living)

    def leave(self, deed: Deed) -> bool:
        """SIGTERM; not replaced."""
        if self.crew.size <= WORKERS_MIN or not self.terminate(deed):
            return False
        self.crew.size -= 1
        return True

    def join(self, deed: Deed) -> bool:
        """One more."""
        del deed
        if self.crew.size >= WORKERS_MAX:
            return False
        self.crew.size += 1
        self.crew.fill()
        return True

    def stop(self, deed: Deed) -> bool:
        """SIGSTOP, and SIGCONT later."""
        name = self._victim(deed)
        if name is None or not self.crew.may_freeze(name):
            return False
        self._freeze(name, deed.seconds)
        return True

    def _freeze(self, name: str, seconds: float) -> None:
        self.crew.freeze(name)
        self._after(seconds, lambda: self.crew.thaw(name))

    def terminate_paused(self, deed: Deed) -> bool:
        """SIGTERM, and asleep a moment later."""
        name = self._victim(deed)
        if name is None or not self.crew.may_freeze(name):
            return False
        self.crew.terminate(name)
        self.crew.hinder(name, SYSTEM_CLOCK.now() + deed.seconds)
        self._after(0.2, lambda: self._freeze_leaver(name, deed.seconds))
        self._after(deed.seconds, self.crew.fill)
        return True

    def _freeze_leaver(self, name: str, seconds: float) -> None:
        if self.world.workers[name].child.is_running:
            self._freeze(name, seconds)

    def hog(self, deed: Deed) -> bool:
        """As many busy processes as the machine has processors, twice."""
        self.hogs.start(deed.seconds)
        return True

    # ------------------------------------------------------------------------------ in the middle

    def hunt(self, deed: Deed) -> bool:
        """Wait for a handoff, and strike one of the two."""
        self._hunts.begin(deed, SYSTEM_CLOCK.now() + deed.seconds + self.plan.duration)
        return True

    def _strike(self, deed: Deed, name: str) -> None:
        if len(self.crew.living) < LIVING_MIN:
            return
        self.done[f"{deed.kind}: struck"] += 1
        self.say(f"         {deed.kind}: {name}")
        if deed.kind == "kill-in-handoff":
            self.crew.kill(name)
            self._after(deed.seconds, self.crew.fill)
        else:
            self._freeze(name, deed.seconds)

    # ---------------------------------------------------------------------------- to the requests

    def trouble(self, deed: Deed) -> bool:
        """Requests of one worker go wrong for a while."""
        living = self.crew.living
        if not living:
            return False
        name = self._named(living, deed)
        self.crew.hinder(name, SYSTEM_CLOCK.now() + deed.seconds)
        self._begin(deed, deed.kind, {"source": key_of(name)})
        return True

    def trouble_for_all(self, deed: Deed) -> bool:
        """Requests of the whole fleet go wrong for a while."""
        self.crew.hinder(EVERYBODY, SYSTEM_CLOCK.now() + deed.seconds)
        self._begin(deed, deed.kind.removesuffix("-all"), {})
        return True

    def _begin(self, deed: Deed, kind: str, whose: Mapping[str, str]) -> None:
        rule = {
            "kind": kind,
            "service": deed.service,
            "probability": deed.probability,
            "seconds": deed.lag,
            **whose,
        }
        name = self.troubles.begin(rule)
        self._after(deed.seconds, lambda: self.troubles.end(name))

    # ------------------------------------------------------------------------------ to the stream

    def split(self, deed: Deed) -> bool:
        """Split any shard."""
        return self._stream.split_any(deed.target)

    def split_of(self, deed: Deed) -> bool:
        """Split a shard of one worker."""
        living = self.crew.living
        return bool(living) and self._stream.split_one_of(self._named(living, deed), deed.target)

    def merge(self, deed: Deed) -> bool:
        """Merge any two neighbours."""
        return self._stream.merge_any(deed.target)


DEEDS: Final[Mapping[str, Callable[[Nemesis, Deed], bool]]] = {
    "kill": Nemesis.kill,
    "terminate": Nemesis.terminate,
    "kill-all": Nemesis.kill_all,
    "terminate-all": Nemesis.terminate_all,
    "hog": Nemesis.hog,
    "leave": Nemesis.leave,
    "join": Nemesis.join,
    "stop": Nemesis.stop,
    "terminate-paused": Nemesis.terminate_paused,
    "kill-in-handoff": Nemesis.hunt,
    "stop-in-handoff": Nemesis.hunt,
    "cut": Nemesis.trouble,
    "throttle": Nemesis.trouble,
    "500": Nemesis.trouble,
    "delay": Nemesis.trouble,
    "lost": Nemesis.trouble,
    "partial": Nemesis.trouble,
    "throttle-all": Nemesis.trouble_for_all,
    "cut-all": Nemesis.trouble_for_all,
    "delay-all": Nemesis.trouble_for_all,
    "lost-all": Nemesis.trouble_for_all,
    "split": Nemesis.split,
    "split-of": Nemesis.split_of,
    "merge": Nemesis.merge,
}
"""Each returns whether it was done."""
