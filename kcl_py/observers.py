"""Which companions does a worker's configuration ask for? Health and metrics, put together here."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from kcl_py.aws.clients import ClientFactory, make_metrics_client
from kcl_py.aws.metric_data import MetricData
from kcl_py.aws.names import StreamAddress
from kcl_py.companions import Companion, Watched
from kcl_py.config import WorkerConfig
from kcl_py.health.companion import Health
from kcl_py.metrics.cloudwatch import CloudWatch
from kcl_py.metrics.emf import Emf
from kcl_py.metrics.prometheus import exposition_pieces
from kcl_py.metrics.publisher import Publisher, Sink
from kcl_py.shell.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    import boto3.session

__all__ = ["observers"]


def observers(
    config: WorkerConfig,
    app_name: str,
    stream: StreamAddress,
    session: boto3.session.Session | None = None,
    client_factory: ClientFactory | None = None,
) -> Sequence[Companion]:
    """Make them; none is started, and nothing is connected."""
    found: list[Companion] = []
    health, metrics = config.health, config.metrics
    if health.port is not None or health.file is not None:
        found.append(
            Health(
                health,
                now=SYSTEM_CLOCK.now,
                exposition=lambda status: exposition_pieces(status, app_name),
            )
        )
    if metrics.level != "none":
        sinks = _Sinks(config, app_name, stream, session, client_factory)
        found.append(
            Publisher(
                sinks.cloudwatch if metrics.sink == "cloudwatch" else sinks.emf,
                level=metrics.level,
                interval=metrics.interval,
                now=SYSTEM_CLOCK.now,
                wall=SYSTEM_CLOCK.wall,
            )
        )
    return found


@dataclass(frozen=True, slots=True)
class _Sinks:
    """Makes a sink when the worker starts."""

    config: WorkerConfig
    app_name: str
    stream: StreamAddress
    session: boto3.session.Session | None
    client_factory: ClientFactory | None

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

    @property
    def _namespace(self) -> str:
        return self.config.metrics.namespace or self.app_name


def _to_stdout(line: str) -> None:
    # None: there was none when Python started, as with >&- of a shell.
    if sys.stdout is None:
        raise OSError("there is no stdout; give the process one, or take another metrics.sink")
    sys.stdout.write(line)
    sys.stdout.flush()
