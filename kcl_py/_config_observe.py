"""How is a worker observed? Settings of its health checks and metrics, all off by default."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, final

from kcl_py._config_checks import check_count, check_number
from kcl_py.errors import ConfigError

__all__ = ["HealthConfig", "MetricsConfig", "MetricsLevel", "MetricsSink"]

MetricsLevel: TypeAlias = Literal["none", "summary", "detailed"]
MetricsSink: TypeAlias = Literal["cloudwatch", "emf", "otel"]

PORT_MAX: Final = 65535
NAMESPACE_MAX: Final = 255
_NAMESPACE: Final = re.compile(r"[A-Za-z0-9._/#:\- ]{1,255}")
"""Source: CloudWatch concepts, Namespaces: which characters, and at most 255 of them."""

_ELSEWHERE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "prometheus": "set health.port, and let Prometheus read /metrics there",
        "opentelemetry": "it is called otel here",
    }
)

INTERVAL_SECONDS_MAX: Final = 3600.0


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class HealthConfig:
    """Whom a worker tells that it is alive.

    Attributes:
        port: Serves /livez, /readyz, /statusz and /metrics over HTTP; 0: any free port. None: no
            server.
        host: Address to listen on. Loopback by default: whoever reaches it sees `status()`.
        file: Heartbeat that `kcl health` reads, as in a container without a port; written about
            every second. None: none.
    """

    port: int | None = None
    host: str = "127.0.0.1"
    file: str | None = None

    def __post_init__(self) -> None:
        if self.port is not None:
            check_count("health.port", self.port, low=0, high=PORT_MAX, hint="None is no server")
        for name, value in (("health.host", self.host), ("health.file", self.file)):
            if value is not None and not value.strip():
                raise ConfigError(f"{name} is empty; leave it out, or give a value")


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsConfig:
    """Where numbers are sent. /metrics needs none of this: see `HealthConfig.port`.

    Attributes:
        level: none: nothing is sent. summary: of the application as a whole. detailed: of each
            shard and worker, too; each of them is a metric of its own, which CloudWatch bills.
            KCL: metricsLevel, default detailed.
        sink: cloudwatch: PutMetricData. emf: JSON lines on stdout, in CloudWatch's embedded metric
            format. otel: instruments of OpenTelemetry, which the program's own MeterProvider
            exports; needs the extra `otel`.
        namespace: None: the application name, as the Java KCL does it. KCL: metricsNamespace.
        interval: Seconds that are summed up in one sending. otel: after so many, 10 at most, counts
            are fed to the instruments; when they are exported is for the MeterProvider to say.
        meter_provider: Only in code, for otel: feed this one. None: the global one.
    """

    level: MetricsLevel = "none"
    sink: MetricsSink = "cloudwatch"
    namespace: str | None = None
    interval: float = 60.0
    meter_provider: object | None = None

    def __post_init__(self) -> None:
        if self.level not in ("none", "summary", "detailed"):
            raise ConfigError(
                f"metrics.level = {self.level!r} is unknown; use 'none', 'summary' or 'detailed'"
            )
        if self.sink in _ELSEWHERE:
            raise ConfigError(f"metrics.sink = {self.sink!r} is none; {_ELSEWHERE[self.sink]}")
        if self.sink not in ("cloudwatch", "emf", "otel"):
            raise ConfigError(
                f"metrics.sink = {self.sink!r} is unknown; use 'cloudwatch', 'emf' or 'otel'"
            )
        self._check_provider()
        check_number("metrics.interval", self.interval, low=1.0, high=INTERVAL_SECONDS_MAX)
        if self.namespace is not None and (
            not _NAMESPACE.fullmatch(self.namespace) or self.namespace.startswith((":", "AWS/"))
        ):
            raise ConfigError(
                f"metrics.namespace = {self.namespace!r} is not allowed; use 1 to {NAMESPACE_MAX} "
                "letters, digits and ._/#:- that begin with neither ':' nor 'AWS/'"
            )

    def _check_provider(self) -> None:
        provider = self.meter_provider
        if provider is None:
            return
        if self.sink != "otel":
            raise ConfigError(
                f"metrics.meter_provider is for metrics.sink = 'otel', not {self.sink!r}; "
                "leave it out, or choose that sink"
            )
        if not callable(getattr(provider, "get_meter", None)):
            raise ConfigError(
                f"metrics.meter_provider = {provider!r} has no get_meter; give a MeterProvider of "
                "OpenTelemetry, or leave it out for the global one"
            )
