"""What becomes of my processor when workers die, leases move and shards split? In milliseconds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from kcl_py.config import OnError
from kcl_py.testing.kit.theatre import Theatre

if TYPE_CHECKING:
    from kcl_py.letters import DeadLetter
    from kcl_py.processor import ProcessorLike
    from kcl_py.records import Position, Record
    from kcl_py.testing.kit.doubles import Payload
    from kcl_py.testing.kit.incidents import Incident
_NO_ERROR_POLICY: Final = OnError()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessorRun:
    """What happened to a processor in the simulated world.

    Attributes:
        records: What was put into the stream, in order.
        delivered: What was handed over, in order; repeated ones as often as they were.
        duplicates: What was handed over again.
        finished: The last record before which, itself included, everything is durably finished.
        shard_ended: Every shard was processed to its end.
        errors: What the processor raised, in order; a lost lease is no error.
        missed: Incidents that never happened; a test of them has shown nothing.
        dead_letters: What the sink of the error policy returned for, in order; the same one twice
            if it was written twice.
        calls: In order, as 'epoch 1: initialize'.
        transcript: The same for people, with records, errors and incidents.
    """

    records: Sequence[Record]
    delivered: Sequence[Record]
    duplicates: Sequence[Record]
    finished: Position | None
    shard_ended: bool
    errors: Sequence[BaseException]
    missed: Sequence[Incident]
    dead_letters: Sequence[DeadLetter]
    calls: Sequence[str]
    transcript: str


def run_processor(
    processor: ProcessorLike,
    data: Iterable[Payload | Record],
    *,
    incidents: Sequence[Incident] = (),
    on_error: OnError = _NO_ERROR_POLICY,
    batch_records: int = 10,
    shards: int = 1,
    seed: int = 0,
) -> ProcessorRun:
    """Run it over these records to the shard's end: the production core, virtual time, real calls.

    Time passes only between calls, so a call takes none, whatever it does. An async processor runs
    on a loop of its own, so this is called outside of one. The run also ends when nothing more
    happens, as with a processor that always raises.

    Args:
        processor: What `Worker(processor=)` takes.
        data: Records or payloads; positions are given by the stream.
        incidents: Each happens once: when so many different records were handed over, or at a
            moment.
        on_error: The error policy.
        batch_records: Most records in one batch.
        shards: That the stream begins with. If there are several, payloads are spread over them;
            records lie where their key belongs.
        seed: Moves latencies and moments; the same seed does the same.

    Raises:
        ConfigError: What was given is no processor, or a merge would find one shard alone.
        RuntimeError: An async processor, and the caller is on an event loop itself.
    """
    theatre = Theatre(
        processor,
        incidents=incidents,
        on_error=on_error,
        batch_records=batch_records,
        shards=shards,
        seed=seed,
    )
    theatre.play(list(data))
    return ProcessorRun(
        records=tuple(theatre.records),
        delivered=tuple(theatre.delivered),
        duplicates=tuple(theatre.duplicates()),
        finished=theatre.finished(),
        shard_ended=theatre.is_over(),
        errors=tuple(theatre.errors),
        missed=tuple(theatre.script.left()),
        dead_letters=tuple(theatre.letters),
        calls=tuple(theatre.calls),
        transcript="\n".join(theatre.transcript),
    )
