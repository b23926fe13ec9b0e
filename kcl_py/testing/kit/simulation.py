"""What does the fixture `kcl_simulation` give to a test? `run_processor` under a given seed."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

from kcl_py.config import OnError
from kcl_py.testing.kit.processor_run import ProcessorRun, run_processor

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from kcl_py.processor import ProcessorLike
    from kcl_py.records import Record
    from kcl_py.testing.kit.doubles import Payload
    from kcl_py.testing.kit.incidents import Incident
_NO_ERROR_POLICY: Final = OnError()


class Simulation:
    """Call it like `run_processor`; the seed is given, and the runs are remembered.

    Attributes:
        seed: Of all its runs.
        rng: Seeded likewise; for what the test itself leaves to chance, as when to crash.
        runs: What it has run, in order.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.rng = random.Random(f"test/{seed}")
        self.runs: list[ProcessorRun] = []

    def __call__(
        self,
        processor: ProcessorLike,
        data: Iterable[Payload | Record],
        *,
        incidents: Sequence[Incident] = (),
        on_error: OnError = _NO_ERROR_POLICY,
        batch_records: int = 10,
        shards: int = 1,
        may_miss: bool = False,
    ) -> ProcessorRun:
        """Run a processor over records; see `run_processor` for what it takes besides.

        Args:
            may_miss: Some incidents need not happen, as when chance decides on their moments.

        Raises:
            AssertionError: The run went to its end and an incident never happened: a test that
                passes then has shown nothing.
        """
        __tracebackhide__ = True  # pytest shows the line of the test
        run = run_processor(
            processor,
            data,
            incidents=incidents,
            on_error=on_error,
            batch_records=batch_records,
            shards=shards,
            seed=self.seed,
        )
        self.runs.append(run)
        if run.shard_ended and run.missed and not may_miss:
            raise AssertionError(f"these incidents never happened: {list(run.missed)}")
        return run

    def report(self) -> str:
        """The transcripts of all runs, for whoever looks for the reason of a failure."""
        return "\n".join(
            f"run {number}, seed {self.seed}:\n{run.transcript}"
            for number, run in enumerate(self.runs, start=1)
        )
