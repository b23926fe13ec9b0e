"""Does each incident happen where it was asked for, and show what it is there to show?"""

from __future__ import annotations

import asyncio
import threading
from typing import ClassVar

import pytest

from kcl_py import (
    AsyncBatch,
    AsyncRecordProcessor,
    AsyncShardContext,
    Batch,
    Checkpointing,
    ConfigError,
    LeaseLost,
    RecordProcessor,
    ShardContext,
    Throttled,
    each_record,
)
from kcl_py.testing import (
    Awakening,
    CrashAfter,
    CrashAt,
    HandOffAfter,
    Incident,
    LoseLeaseAfter,
    LoseLeaseAt,
    MergeAfter,
    ProcessorRun,
    Simulation,
    SplitAfter,
    ThrottleAfter,
    make_record,
    moment,
    run_processor,
)

AWAKENINGS: list[Awakening] = ["taken", "initialized", "processed"]


def numbers(run: ProcessorRun) -> list[int]:
    return [record.json() for record in run.delivered]


class Writes(RecordProcessor):
    """Explicit checkpoints; says when it writes, and remembers who wrote what."""

    checkpointing: ClassVar[Checkpointing] = "explicit"
    wrote: ClassVar[list[tuple[int, int]]] = []
    epochs: ClassVar[list[int]] = []

    def initialize(self, shard: ShardContext) -> None:
        self.token = shard.fencing_token
        self.epochs.append(self.token)

    def process_records(self, batch: Batch) -> None:
        records = list(batch)
        moment("write")
        self.wrote.extend((self.epochs.index(self.token), r.json()) for r in records)
        batch.checkpoint()


@pytest.fixture(autouse=True)
def nothing_was_written() -> None:
    Writes.wrote.clear()
    Writes.epochs.clear()


# ------------------------------------------------------------------------------------- crashes


def test_dying_before_the_worker_knows_repeats_the_whole_batch() -> None:
    crash = CrashAt(moment="process_records returned")

    run = run_processor(each_record(lambda record: None), range(30), incidents=[crash])

    assert [r.json() for r in run.duplicates] == list(range(10))
    assert run.missed == ()


@pytest.mark.parametrize(("where", "again"), [("checkpoint", 10), ("checkpoint returned", 0)])
def test_dying_around_a_checkpoint_repeats_what_was_not_durable(where: str, again: int) -> None:
    run = run_processor(Writes, range(30), incidents=[CrashAt(moment=where, nth=2)])

    assert len(run.duplicates) == again
    assert run.shard_ended
    assert f"w1 dies at '{where}'" in run.transcript


@pytest.mark.parametrize("call", ["initialize", "process_records", "shard_ended", "close"])
def test_dying_in_a_call_leaves_the_rest_to_another(call: str) -> None:
    run = run_processor(Writes, range(30), incidents=[CrashAt(moment=call)])

    assert f"w1 dies at '{call}'" in run.transcript
    assert run.shard_ended
    assert set(numbers(run)) == set(range(30))
    assert "epoch 2: initialize" in run.calls


def test_dying_in_the_middle_of_a_handoff_waits_for_the_lease_to_expire() -> None:
    incidents: list[Incident] = [HandOffAfter(records=15), CrashAt(moment="shutdown_requested")]

    run = run_processor(Writes, range(30), incidents=incidents)

    assert "epoch 1: shutdown_requested" in run.calls
    assert "epoch 1: close" not in run.calls
    assert run.shard_ended
    assert sorted(set(numbers(run))) == list(range(30))


def test_the_nth_time_counts_over_all_epochs() -> None:
    run = run_processor(
        Writes, range(40), incidents=[CrashAt(moment="write"), CrashAt(moment="write", nth=3)]
    )

    assert run.transcript.count("dies at 'write'") == 2
    assert "epoch 3: initialize" in run.calls
    assert run.missed == ()


def test_the_transcript_counts_moments_so_that_nth_can_be_looked_up() -> None:
    run = run_processor(Writes, range(30))

    lines = [line.split(maxsplit=1)[1] for line in run.transcript.splitlines()]
    assert [line for line in lines if "write" in line] == [f"'write', nth={n}" for n in (1, 2, 3)]
    assert lines.count("'checkpoint returned', nth=3") == 1
    assert not any("'initialize" in line or "'process_records" in line for line in lines)


def test_what_never_happened_is_said() -> None:
    never: list[Incident] = [CrashAfter(records=31), CrashAt(moment="shutdown_requestet")]

    run = run_processor(Writes, range(30), incidents=never)

    assert list(run.missed) == never
    assert run.transcript.count("never happened: Crash") == 2


def test_moments_are_free_outside_of_a_run() -> None:
    moment("write")


# ------------------------------------------------------------------------- an old owner, frozen


@pytest.mark.parametrize("until", AWAKENINGS)
def test_a_frozen_owner_goes_on_when_the_new_one_is_so_far(until: Awakening) -> None:
    run = run_processor(
        Writes, range(30), incidents=[LoseLeaseAt(moment="write", nth=2, until=until)]
    )

    first = next(i for i, (epoch, n) in enumerate(Writes.wrote) if n == 10)
    lines = run.transcript.splitlines()
    awake = next(i for i, line in enumerate(lines) if "goes on" in line)
    seen = {
        method
        for method in ("initialize", "process_records")
        for line in lines[:awake]
        if f"epoch 2: {method}" in line
    }
    expected = {
        "taken": set(),
        "initialized": {"initialize"},
        "processed": {"initialize", "process_records"},
    }
    assert seen == expected[until]
    # Without a token in the sink both have written: the new one first, if it got that far.
    assert Writes.wrote[first] == ((1 if until == "processed" else 0), 10)
    assert sum(n == 10 for _, n in Writes.wrote) == 2
    assert "raised LeaseLost" in run.transcript
    assert run.errors == ()
    assert run.shard_ended


def test_the_seed_decides_how_far_the_new_owner_is() -> None:
    seen = set()
    for seed in range(20):
        Writes.wrote.clear()
        run = run_processor(
            Writes, range(30), incidents=[LoseLeaseAt(moment="write", nth=2)], seed=seed
        )
        before = run.transcript.partition("goes on")[0]
        seen.add(("epoch 2: initialize" in before, "epoch 2: process_records" in before))

    assert seen == {(False, False), (True, False), (True, True)}


def test_an_owner_frozen_before_its_checkpoint_is_refused() -> None:
    run = run_processor(Writes, range(30), incidents=[LoseLeaseAt(moment="checkpoint", nth=2)])

    assert "raised LeaseLost" in run.transcript
    assert [r.json() for r in run.duplicates] == list(range(10, 20))
    assert run.finished == run.records[-1].position


def test_two_owners_can_be_frozen_at_the_same_time() -> None:
    frozen = [
        LoseLeaseAt(moment="write", nth=2, until="processed"),
        LoseLeaseAt(moment="write", nth=3, until="processed"),
    ]

    run = run_processor(Writes, range(30), incidents=frozen)

    # The third has written before the second goes on, and that before the first does.
    assert [epoch for epoch, n in Writes.wrote if n == 10] == [2, 1, 0]
    assert run.shard_ended
    assert run.missed == ()


def test_one_frozen_at_the_end_of_its_shard_lets_the_next_one_end_it() -> None:
    run = run_processor(
        Writes, range(30), incidents=[LoseLeaseAt(moment="shard_ended", until="processed")]
    )

    assert "epoch 2: shard_ended" in run.calls
    assert run.shard_ended
    assert run.errors == ()


def test_one_that_is_over_already_freezes_for_nothing() -> None:
    run = run_processor(Writes, range(30), incidents=[LoseLeaseAt(moment="close")])

    assert run.shard_ended
    assert run.missed == ()


def test_frozen_between_records_and_at_a_moment_in_one_run() -> None:
    incidents: list[Incident] = [
        LoseLeaseAt(moment="write", nth=2, until="processed"),
        LoseLeaseAfter(records=20),
        CrashAfter(records=25),
    ]

    run = run_processor(Writes, range(40), incidents=incidents)

    assert run.missed == ()
    assert run.shard_ended
    assert sorted(set(numbers(run))) == list(range(40))


@pytest.mark.parametrize("until", AWAKENINGS)
def test_async_code_is_frozen_likewise_and_each_process_has_its_loop(until: Awakening) -> None:
    wrote: list[tuple[int, int]] = []
    loops: set[asyncio.AbstractEventLoop] = set()

    class Sends(AsyncRecordProcessor):
        async def initialize(self, shard: AsyncShardContext) -> None:
            self.loop = asyncio.get_running_loop()
            loops.add(self.loop)
            self.token = shard.fencing_token

        async def process_records(self, batch: AsyncBatch) -> None:
            records = list(batch)
            await asyncio.sleep(0)
            moment("send")
            await asyncio.sleep(0)
            assert asyncio.get_running_loop() is self.loop
            wrote.extend((self.token, record.json()) for record in records)

    before = threading.active_count()
    run = run_processor(Sends, range(30), incidents=[LoseLeaseAt(moment="send", until=until)])

    assert run.errors == ()
    assert run.shard_ended
    assert len(loops) == 2
    twice = [token for token, n in wrote if n == 0]
    assert len(twice) == 2
    assert (twice == sorted(twice)) == (until != "processed")
    assert threading.active_count() == before


# ---------------------------------------------------------------------------- table and shards


def test_a_throttled_table_leaves_a_checkpoint_for_later_and_repeats_nothing() -> None:
    run = run_processor(Writes, range(30), incidents=[ThrottleAfter(records=10, seconds=4.0)])

    assert {type(error) for error in run.errors} == {Throttled}
    assert run.duplicates == ()
    assert run.finished == run.records[-1].position


def test_a_table_throttled_beyond_the_lease_costs_it() -> None:
    run = run_processor(Writes, range(30), incidents=[ThrottleAfter(records=10, seconds=20.0)])

    assert "epoch 1: lease_lost" in run.calls
    assert run.duplicates
    assert run.shard_ended


def test_two_shards_are_merged_and_their_child_comes_after_both() -> None:
    run = run_processor(Writes, range(30), shards=2, incidents=[MergeAfter(records=15)])

    assert run.shard_ended
    assert run.missed == ()
    assert run.duplicates == ()
    assert sorted(numbers(run)[:15]) == list(range(15))
    assert numbers(run)[15:] == list(range(15, 30))
    assert sum(call.endswith("shard_ended") for call in run.calls) == 3


def test_what_was_split_is_merged_again_and_once_more_split() -> None:
    people = [make_record(n, key=f"person-{n}") for n in range(40)]
    incidents: list[Incident] = [
        SplitAfter(records=10),
        MergeAfter(records=20),
        SplitAfter(records=30),
    ]

    run = run_processor(Writes, people, incidents=incidents)

    assert run.shard_ended
    assert sorted(numbers(run)) == list(range(40))
    assert sum(call.endswith("shard_ended") for call in run.calls) == 6


@pytest.mark.parametrize(
    "incidents",
    [
        [MergeAfter(records=5)],
        [MergeAfter(records=5), SplitAfter(records=10)],
        [SplitAfter(records=5), MergeAfter(records=10), MergeAfter(records=15)],
    ],
)
def test_a_shard_alone_is_not_merged(incidents: list[Incident]) -> None:
    with pytest.raises(ConfigError, match="one shard alone"):
        run_processor(Writes, range(30), incidents=incidents)


def test_a_frozen_process_runs_none_of_its_other_shards() -> None:
    run = run_processor(
        Writes, range(40), shards=3, incidents=[LoseLeaseAt(moment="checkpoint returned")]
    )

    lines = run.transcript.splitlines()
    frozen = next(i for i, line in enumerate(lines) if "freezes" in line)
    awake = next(i for i, line in enumerate(lines) if "goes on" in line)
    assert not any(f"epoch {n}: " in line for line in lines[frozen:awake] for n in (1, 2, 3))
    assert run.errors == ()
    assert run.shard_ended


def test_a_shard_that_ends_in_the_middle_of_a_handoff_moves_no_more() -> None:
    incidents: list[Incident] = [
        LoseLeaseAt(moment="shard_ended returned"),
        LoseLeaseAt(moment="write", nth=2),
        MergeAfter(records=14),
        HandOffAfter(records=14),
    ]

    runs = [
        run_processor(Writes, range(60), shards=2, incidents=incidents, seed=seed)
        for seed in range(20)
    ]

    assert [seed for seed, run in enumerate(runs) if not run.shard_ended] == []


@pytest.mark.parametrize("seed", range(5))
def test_several_shards_with_everything_at_once(seed: int) -> None:
    incidents: list[Incident] = [
        CrashAfter(records=20),
        HandOffAfter(records=40),
        MergeAfter(records=50),
        LoseLeaseAt(moment="write", nth=8),
        ThrottleAfter(records=60, seconds=3.0),
        SplitAfter(records=70),
        LoseLeaseAfter(records=80),
        CrashAt(moment="checkpoint returned", nth=12),
    ]

    run = run_processor(Writes, range(100), shards=3, incidents=incidents, seed=seed)

    assert run.missed == (), run.transcript
    assert run.shard_ended, run.transcript
    assert sorted(set(numbers(run))) == list(range(100))
    assert {type(error) for error in run.errors} <= {Throttled}
    again = run_processor(Writes, range(100), shards=3, incidents=incidents, seed=seed)
    assert again.transcript == run.transcript


# ------------------------------------------------------------------------------ under one seed


def test_a_simulation_is_the_run_of_its_seed_and_remembers_it() -> None:
    incidents = [LoseLeaseAt(moment="write", nth=2)]
    simulation = Simulation(7)

    run = simulation(Writes, range(30), incidents=incidents)

    plain = run_processor(Writes, range(30), incidents=incidents, seed=7)
    assert run.transcript == plain.transcript
    assert simulation.runs == [run]
    assert simulation.report() == f"run 1, seed 7:\n{run.transcript}"


def test_a_simulation_without_its_incident_fails_unless_that_may_be() -> None:
    late = [CrashAfter(records=31)]

    with pytest.raises(AssertionError, match="records=31"):
        Simulation(0)(Writes, range(30), incidents=late)

    assert Simulation(0)(Writes, range(30), incidents=late, may_miss=True).missed == (late[0],)


def test_a_simulation_that_got_stuck_is_judged_by_its_test() -> None:
    def never(batch: Batch) -> None:
        raise RuntimeError("no database")

    run = Simulation(0)(never, range(30), incidents=[CrashAfter(records=20)])

    assert not run.shard_ended


def test_a_sink_that_refuses_the_token_ends_the_epoch() -> None:
    class Refused(RecordProcessor):
        def process_records(self, batch: Batch) -> None:
            if len(numbers_of_epochs) < 3:
                numbers_of_epochs.append(batch.fencing_token)
                raise LeaseLost("a newer owner was here already")

    numbers_of_epochs: list[int] = []

    run = run_processor(Refused, range(5))

    assert numbers_of_epochs == sorted(set(numbers_of_epochs))
    assert run.errors == ()
    assert run.shard_ended
