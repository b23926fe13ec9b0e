"""How do a worker's numbers get into OpenTelemetry's instruments? The program exports them.

Counts and times are fed to instruments, every few seconds and at the end; levels are read when a
reader collects them. Names and units are such that a collector makes the names of /metrics of them.
Source: OpenTelemetry's semantic conventions for metrics (names, units after UCUM), and its rules of
compatibility with Prometheus.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, TypeAlias
from weakref import WeakKeyDictionary, ref

from opentelemetry import metrics as api
from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

import kcl_py
from kcl_py._otel import SCOPE, is_heard
from kcl_py.metrics.catalogue import METRICS
from kcl_py.metrics.metric import Metric
from kcl_py.metrics.points import Level, Point
from kcl_py.status import TIMING_BOUNDS, Timing, WorkerStatus

if TYPE_CHECKING:
    from kcl_py.companions import Watched

FRESH_SECONDS: Final = 1.0
"""One look at a worker serves all gauges that a reader collects within this time."""

UNHEARD: Final = (
    "no MeterProvider is configured, so nothing is exported; run it under opentelemetry-instrument,"
    " or call opentelemetry.metrics.set_meter_provider before the worker starts"
)

_UNITS: Final = {"bytes": "By", "seconds": "s", "fraction": "1"}
_OVER: Final = frozenset({"stopped", "failed"})

Attributes: TypeAlias = Mapping[str, str]

_log = logging.getLogger(__name__)


def instrument_name(metric: Metric) -> str:
    """Its name, as `kcl.records_processed`: that of Prometheus, without unit and ending."""
    return f"kcl.{metric.name}"


def instrument_unit(metric: Metric) -> str:
    """Its unit after UCUM; of what is counted, an annotation as `{record}`."""
    return _UNITS.get(metric.unit) or f"{{{metric.thing}}}"


class View:
    """One worker, as gauges see it.

    Args:
        now: Seconds on a clock that never jumps.
    """

    def __init__(
        self, worker: Watched, attributes: Attributes, level: Level, now: Callable[[], float]
    ) -> None:
        # Instruments live as long as the process: they must not keep each worker that there was.
        self._worker = ref(worker)
        self._attributes = {**attributes, "kcl.worker": worker.worker_id}
        self._level = level
        self._now = now
        self._lock = threading.Lock()
        self._looked_at: float | None = None
        self._seen_at: float | None = None
        self._status: WorkerStatus | None = None
        self.is_over = False

    @property
    def is_gone(self) -> bool:
        """It has ended, as far as was seen, or nobody has the worker any more."""
        return self.is_over or self._worker() is None

    def observe(self, metric: Metric) -> Iterator[Observation]:
        """Yield what a level is now; nothing of a worker that does not answer, or has ended."""
        status = self._look()
        if status is None:
            return
        if metric.scope != "held":
            yield from _observation(metric.read(status), self._attributes)
            return
        found = {key: metric.read(shard) for key, shard in status.shards.items()}
        if self._level == "detailed":
            for key, value in found.items():
                yield from _observation(value, {**self._attributes, "kcl.shard": key})
            return
        known = [value for value in found.values() if isinstance(value, int | float)]
        if known:
            worst = min(known) if metric.is_low_worse else max(known)
            yield from _observation(worst, self._attributes)

    def _look(self) -> WorkerStatus | None:
        with self._lock:
            now = self._now()
            if self._looked_at is None or now - self._looked_at >= FRESH_SECONDS:
                self._status = self._fresh()
                self._looked_at = self._now()  # it may have waited
            return self._status

    def _fresh(self) -> WorkerStatus | None:
        worker = self._worker()
        try:
            status = None if worker is None else worker.status()
        except RuntimeError:  # this is a fork of the worker's process
            status = None
        if status is None:
            self.is_over = True
            return None
        self.is_over = status.state in _OVER
        before, self._seen_at = self._seen_at, status.at
        return None if self.is_over or status.at in (None, before) else status


class Instruments:
    """All instruments of one provider. They can be made once, so that all workers share them.

    Args:
        provider: None: the global one, even if it is configured later.
    """

    def __init__(self, provider: MeterProvider | None) -> None:
        meter = api.get_meter(SCOPE, kcl_py.__version__, provider)
        self._views: tuple[View, ...] = ()
        self._lock = threading.Lock()
        self._counters: dict[Metric, api.Counter] = {}
        self._histograms: dict[Metric, api.Histogram] = {}
        for metric in METRICS:
            name, unit, says = instrument_name(metric), instrument_unit(metric), metric.says
            if metric.kind == "count":
                self._counters[metric] = meter.create_counter(name, unit, says)
            elif metric.kind == "time":
                self._histograms[metric] = meter.create_histogram(
                    name, unit, says, explicit_bucket_boundaries_advisory=TIMING_BOUNDS
                )
            else:
                observe = partial(self._observe, metric)
                meter.create_observable_gauge(name, [observe], unit, says)

    def add(self, view: View) -> None:
        """Let gauges read this worker, until it has ended."""
        with self._lock:
            # Where nobody collects, nobody has seen that others have.
            self._views = (*(each for each in self._views if not each.is_gone), view)

    def feed(self, point: Point, attributes: Attributes) -> None:
        """Add what came: a count, or each duration as the mean of its bucket."""
        counter = self._counters.get(point.metric)
        if counter is not None:
            counter.add(point.stats.sum, attributes)
            return
        record = self._histograms[point.metric].record
        for value, often in point.values:
            for _ in range(often):
                record(value, attributes)

    def _observe(self, metric: Metric, options: CallbackOptions) -> Iterable[Observation]:
        del options
        found = [each for view in self._views for each in view.observe(metric)]
        if any(view.is_over for view in self._views):
            with self._lock:
                self._views = tuple(view for view in self._views if not view.is_over)
        return found


class OpenTelemetry:
    """A sink: feeds instruments, which an SDK reads and exports.

    Args:
        provider: None: the global one.
        attributes: Of every number.
    """

    name: Final = "otel"

    def __init__(
        self,
        worker: Watched,
        *,
        provider: MeterProvider | None,
        attributes: Attributes,
        level: Level,
        now: Callable[[], float],
    ) -> None:
        if not is_heard(provider or api.get_meter_provider()):
            _log.warning("metrics.unheard", extra={"sink": self.name, "problem": UNHEARD})
        self._attributes = attributes
        self._level = level
        self._instruments = _instruments_of(provider)
        self._instruments.add(View(worker, attributes, level, now))

    def send(self, points: Sequence[Point], at: float) -> Iterator[tuple[int, str | None]]:
        """Feed them; what becomes of them is for the SDK to say.

        An instrument that raises, as one of another's SDK may, costs its own numbers only.
        """
        del at
        failed, why = 0, None
        for point in points:
            if point.metric.kind != "level" and self._is_finest(point):
                try:
                    self._instruments.feed(point, self._of(point))
                except Exception as error:  # noqa: BLE001 - of the program's own provider
                    failed += 1
                    why = f"{instrument_name(point.metric)}: {type(error).__name__}: {error}"
        yield len(points) - failed, None
        if failed:
            yield failed, why

    def _is_finest(self, point: Point) -> bool:
        """Of what is told as a whole and in parts, one: else a sum would count it twice."""
        is_part = point.shard is not None or point.worker is not None
        return is_part == (self._level == "detailed")

    def _of(self, point: Point) -> Attributes:
        of = dict(self._attributes)
        if point.shard is not None:
            of["kcl.shard"] = point.shard
        if point.worker is not None:
            of["kcl.worker"] = point.worker
        return of


_made: WeakKeyDictionary[MeterProvider, Instruments] = WeakKeyDictionary()
_made_globally: list[Instruments] = []
_making: Final = threading.Lock()


def _instruments_of(provider: MeterProvider | None) -> Instruments:
    with _making:
        if provider is None or provider is api.get_meter_provider():
            if not _made_globally:
                _made_globally.append(Instruments(None))
            return _made_globally[0]
        if provider not in _made:
            _made[provider] = Instruments(provider)
        return _made[provider]


def _observation(value: float | Timing | None, attributes: Attributes) -> Iterator[Observation]:
    if isinstance(value, int | float) and math.isfinite(value):
        yield Observation(value + 0, attributes)  # what is true is 1
