"""Are the public names exactly those that were promised?"""

from __future__ import annotations

import ast
from pathlib import Path

import kcl_py

PROMISED = [
    "AccessDenied",
    "AfterAttempts",
    "AnyProcessor",
    "AsyncBatch",
    "AsyncCheckpointer",
    "AsyncDelivery",
    "AsyncPreparedCheckpoint",
    "AsyncProducer",
    "AsyncRecordProcessor",
    "AsyncShardContext",
    "Backoff",
    "Batch",
    "BufferFull",
    "CheckpointOutOfRange",
    "Checkpointer",
    "Checkpointing",
    "ClientFactory",
    "ConfigError",
    "DeadLetter",
    "DeadLetterSink",
    "Delivery",
    "DeliveryConfig",
    "Encoder",
    "HealthConfig",
    "InitialPosition",
    "KclError",
    "KinesisBatchDispatcher",
    "LeaseConfig",
    "LeaseLost",
    "LeaseTableError",
    "MetricsConfig",
    "NoCredentials",
    "OnError",
    "Payload",
    "PollingConfig",
    "Position",
    "PreparedCheckpoint",
    "ProcessorLike",
    "Producer",
    "ProducerConfig",
    "ProducerCounters",
    "ProducerError",
    "PutFailed",
    "PutFailure",
    "PutResult",
    "Record",
    "RecordDecodeError",
    "RecordError",
    "RecordFailed",
    "RecordProcessor",
    "RecordRefused",
    "ServiceError",
    "SetupError",
    "ShardContext",
    "ShardState",
    "ShardStatus",
    "ShutdownReason",
    "StopTimeout",
    "StreamNotFound",
    "TableConfig",
    "Throttled",
    "Unavailable",
    "Undelivered",
    "Worker",
    "WorkerConfig",
    "WorkerEvent",
    "WorkerFailed",
    "WorkerState",
    "WorkerStatus",
    "each_record",
]


def test_the_public_names_are_those_promised() -> None:
    assert kcl_py.__all__ == PROMISED
    assert sorted(PROMISED) == PROMISED
    assert set(PROMISED) <= set(dir(kcl_py))


def test_every_public_name_resolves() -> None:
    missing = [name for name in kcl_py.__all__ if not hasattr(kcl_py, name)]

    assert missing == []


def test_a_type_checker_sees_the_same_modules_as_the_table() -> None:
    """The `if TYPE_CHECKING` imports and the lazy table say the same twice; keep them equal."""
    source = ast.parse(Path(kcl_py.__file__).read_text(encoding="utf-8"))
    seen = {
        alias.name: str(node.module).removeprefix("kcl_py.")
        for node in ast.walk(source)
        if isinstance(node, ast.ImportFrom) and str(node.module).startswith("kcl_py.")
        for alias in node.names
    }

    assert seen == kcl_py._MODULE_OF
    assert sorted(seen) == kcl_py.__all__
