"""The Kinesis Client Library in pure Python: what may a user import?

Every public name is resolved when it is first asked for, so that `import kcl_py` costs nothing and
loads neither boto3 nor any other dependency.
"""

from __future__ import annotations

import importlib
from types import MappingProxyType

TYPE_CHECKING = False  # type checkers know the name; importing `typing` is most of what we cost
if TYPE_CHECKING:
    from kcl_py.config import (
        AfterAttempts,
        Backoff,
        DeliveryConfig,
        HealthConfig,
        InitialPosition,
        LeaseConfig,
        MetricsConfig,
        OnError,
        PollingConfig,
        TableConfig,
        WorkerConfig,
    )
    from kcl_py.errors import (
        AccessDenied,
        BufferFull,
        CheckpointOutOfRange,
        ConfigError,
        KclError,
        LeaseLost,
        LeaseTableError,
        NoCredentials,
        ProducerError,
        PutFailed,
        RecordDecodeError,
        RecordError,
        RecordFailed,
        RecordRefused,
        ServiceError,
        SetupError,
        StopTimeout,
        StreamNotFound,
        Throttled,
        Unavailable,
        Undelivered,
        WorkerFailed,
    )
    from kcl_py.letters import DeadLetter, DeadLetterSink
    from kcl_py.processor import (
        AnyProcessor,
        AsyncBatch,
        AsyncCheckpointer,
        AsyncPreparedCheckpoint,
        AsyncRecordProcessor,
        AsyncShardContext,
        Batch,
        Checkpointer,
        Checkpointing,
        PreparedCheckpoint,
        ProcessorLike,
        RecordProcessor,
        ShardContext,
        ShutdownReason,
        each_record,
    )
    from kcl_py.producer.aio import AsyncProducer
    from kcl_py.producer.client import Producer
    from kcl_py.producer.config import ProducerConfig
    from kcl_py.producer.counters import ProducerCounters
    from kcl_py.producer.dispatcher import KinesisBatchDispatcher
    from kcl_py.producer.results import (
        AsyncDelivery,
        Delivery,
        Encoder,
        Payload,
        PutFailure,
        PutResult,
    )
    from kcl_py.records import Position, Record
    from kcl_py.status import ShardState, ShardStatus, WorkerEvent, WorkerState, WorkerStatus
    from kcl_py.worker import ClientFactory, Worker

__version__ = "0.1.0"

__all__ = [
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

_MODULE_NAMES = MappingProxyType(
    {
        "config": (
            "AfterAttempts Backoff DeliveryConfig HealthConfig InitialPosition LeaseConfig "
            "MetricsConfig OnError PollingConfig TableConfig WorkerConfig"
        ),
        "errors": (
            "AccessDenied BufferFull CheckpointOutOfRange ConfigError KclError LeaseLost "
            "LeaseTableError NoCredentials ProducerError PutFailed RecordDecodeError "
            "RecordError RecordFailed RecordRefused ServiceError SetupError StopTimeout "
            "StreamNotFound Throttled Unavailable Undelivered WorkerFailed"
        ),
        "letters": "DeadLetter DeadLetterSink",
        "processor": (
            "AnyProcessor AsyncBatch AsyncCheckpointer AsyncPreparedCheckpoint "
            "AsyncRecordProcessor AsyncShardContext Batch Checkpointer Checkpointing "
            "PreparedCheckpoint ProcessorLike RecordProcessor ShardContext ShutdownReason "
            "each_record"
        ),
        "producer.aio": "AsyncProducer",
        "producer.client": "Producer",
        "producer.config": "ProducerConfig",
        "producer.counters": "ProducerCounters",
        "producer.dispatcher": "KinesisBatchDispatcher",
        "producer.results": "AsyncDelivery Delivery Encoder Payload PutFailure PutResult",
        "records": "Position Record",
        "status": "ShardState ShardStatus WorkerEvent WorkerState WorkerStatus",
        "worker": "ClientFactory Worker",
    }
)
_MODULE_OF = {name: module for module, names in _MODULE_NAMES.items() for name in names.split()}


if not TYPE_CHECKING:  # Type checkers would take a module with `__getattr__` to have every name.

    def __getattr__(name: str) -> object:
        """Import the module of a public name, and keep the name for next time (PEP 562)."""
        module = _MODULE_OF.get(name)
        if module is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
