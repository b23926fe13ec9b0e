"""Which companions does a worker's configuration ask for? Health and metrics, put together here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from kcl_py._otel import EXTRA, is_installed
from kcl_py.aws.clients import ClientFactory, make_metrics_client
from kcl_py.aws.metric_data import MetricData
from kcl_py.aws.names import StreamAddress
from kcl_py.companions import Companion, Watched
from kcl_py.config import WorkerConfig
from kcl_py.errors import ConfigError
from kcl_py.health.companion import Health
from kcl_py.hosts.cpu_watch import CpuWatch, unmeasured
from kcl_py.metrics.cloudwatch import CloudWatch
from kcl_py.metrics.emf import Emf
from kcl_py.metrics.prometheus import exposition_pieces
from kcl_py.metrics.publisher import LOOK_SECONDS, Publisher, Sink
from kcl_py.shell.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    import boto3.session
    from opentelemetry.metrics import MeterProvider

__all__ = ["observers"]


@dataclass(frozen=True, slots=True)
class Observers:
    """What a configuration asks for.

    Attributes:
        cpu_used: Part of the CPUs that is used, for `status()`.
    """

    companions: Sequence[Companion]
    cpu_used: Callable[[], float | None]


def observers(
    config: WorkerConfig,
    app_name: str,
    stream: StreamAddress,
    session: boto3.session.Session | None = None,
    client_factory: ClientFactory | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
) -> Observers:
    """Make them; none is started, and nothing is connected.

    Args:
        config: Its `health` and `metrics`.
        app_name: Of every number.
        stream: Its name, and where it is.
        session: For CloudWatch.
        client_factory: For CloudWatch, instead.
        is_stopping: The worker was asked to stop, as while it starts.

    Raises:
        ConfigError: One of them needs a package that is not installed.
    """
    found: list[Companion] = []
    health, metrics = config.health, config.metrics
    cpu: CpuWatch | None = None
    if health.port is not None or metrics.level != "none":
        cpu = CpuWatch()
        found.append(cpu)
    if health.port is not None or health.file is not None:
        found.append(
            Health(
                health,
                now=SYSTEM_CLOCK.now,
                is_stopping=is_stopping,
                exposition=lambda status: exposition_pieces(status, app_name),
            )
        )
    if metrics.level != "none":
        sinks = _Sinks(config, app_name, stream, session, client_factory)
        is_otel = metrics.sink == "otel"
        found.append(
            Publisher(
                sinks.chosen(),
                level=metrics.level,
                # Instruments wait for whoever reads them, and that may be often.
                interval=min(metrics.interval, LOOK_SECONDS) if is_otel else metrics.interval,
                now=SYSTEM_CLOCK.now,
                wall=SYSTEM_CLOCK.wall,
            )
        )
    return Observers(found, unmeasured if cpu is None else lambda: cpu.used)


@dataclass(frozen=True, slots=True)
class _Sinks:
    """Makes a sink when the worker starts."""

    config: WorkerConfig
    app_name: str
    stream: StreamAddress
    session: boto3.session.Session | None
    client_factory: ClientFactory | None

    def chosen(self) -> Callable[[Watched], Sink]:
        """Return what makes it.

        Raises:
            ConfigError: It needs a package that is not installed.
        """
        match self.config.metrics.sink:
            case "cloudwatch":
                return self.cloudwatch
            case "emf":
                return self.emf
            case "otel":
                if not is_installed():
                    raise ConfigError(
                        f"metrics.sink = 'otel' needs OpenTelemetry; install it with: {EXTRA}"
                    )
                return self.otel

    def cloudwatch(self, worker: Watched) -> Sink:
        del worker
        client = make_metrics_client(
            self.config, self.stream, session=self.session, client_factory=self.client_factory
        )
        return CloudWatch(self._namespace, MetricData(client).put)

    def emf(self, worker: Watched) -> Sink:
        said = {
            "application": self.app_name,
            "stream": self.stream.name,
            "worker_id": worker.worker_id,
        }
        return Emf(self._namespace, _to_stdout, said)

    def otel(self, worker: Watched) -> Sink:
        from kcl_py.metrics.otel import OpenTelemetry  # noqa: PLC0415 - an extra

        metrics = self.config.metrics
        assert metrics.level != "none", "else nobody asks for a sink"
        return OpenTelemetry(
            worker,
            provider=cast("MeterProvider | None", metrics.meter_provider),
            attributes={
                "kcl.application": self.app_name,
                "aws.kinesis.stream_name": self.stream.name,
            },
            level=metrics.level,
            now=SYSTEM_CLOCK.now,
        )

    @property
    def _namespace(self) -> str:
        return self.config.metrics.namespace or self.app_name


def _to_stdout(line: str) -> None:
    # None: there was none when Python started, as with >&- of a shell.
    if sys.stdout is None:
        raise OSError("there is no stdout; give the process one, or take another metrics.sink")
    sys.stdout.write(line)
    sys.stdout.flush()
