"""What does a user write, and what is it given?

A processor (a class or a function) gets batches of records and a context of its shard. Everything
here is pure: the clock, threads and the network are behind `RunPort`, which the shell implements.
"""

from __future__ import annotations

from kcl_py.processor.batches import AsyncBatch, Batch
from kcl_py.processor.checkpointers import (
    AsyncCheckpointer,
    AsyncPreparedCheckpoint,
    Checkpointer,
    PreparedCheckpoint,
)
from kcl_py.processor.contexts import AsyncShardContext, ShardContext
from kcl_py.processor.kinds import AnyProcessor, ProcessorLike, ProcessorMaker, classify
from kcl_py.processor.lifecycle import AsyncRecordProcessor, Checkpointing, RecordProcessor
from kcl_py.processor.one_record import each_record
from kcl_py.processor.runs import (
    CheckpointKind,
    Fence,
    Handed,
    Run,
    RunFacts,
    RunPort,
    ShutdownReason,
)

__all__ = [
    "AnyProcessor",
    "AsyncBatch",
    "AsyncCheckpointer",
    "AsyncPreparedCheckpoint",
    "AsyncRecordProcessor",
    "AsyncShardContext",
    "Batch",
    "CheckpointKind",
    "Checkpointer",
    "Checkpointing",
    "Fence",
    "Handed",
    "PreparedCheckpoint",
    "ProcessorLike",
    "ProcessorMaker",
    "RecordProcessor",
    "Run",
    "RunFacts",
    "RunPort",
    "ShardContext",
    "ShutdownReason",
    "classify",
    "each_record",
]
