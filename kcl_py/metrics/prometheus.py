"""How are the numbers of one worker written for Prometheus? Its text format, as it was asked for.

No library is needed for that: everything is counted already, and this only spells it.
Source: Prometheus' exposition formats, text format 0.0.4.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from kcl_py.metrics.catalogue import METRICS
from kcl_py.metrics.metric import Metric, Unit
from kcl_py.status import TIMING_BOUNDS, Timing, WorkerStatus

PIECE_LINES: Final = 500
"""Some 50 kB, made within a few milliseconds."""

_TYPES: Final = {"count": "counter", "level": "gauge", "time": "histogram"}
_ENDINGS: Final[Mapping[Unit, str]] = {
    "count": "",
    "bytes": "_bytes",
    "seconds": "_seconds",
    "fraction": "_ratio",
}
"""Source: Prometheus' metric and label naming, Base units."""
_ESCAPES: Final = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def full_name(metric: Metric) -> str:
    """The name with its prefix and endings: `kcl_read_bytes_total`."""
    ending = _ENDINGS[metric.unit] + ("_total" if metric.kind == "count" else "")
    return f"kcl_{metric.name}{ending}"


def exposition(status: WorkerStatus, app_name: str) -> str:
    """Everything about one worker. A number that is not known is left out."""
    return "".join(exposition_pieces(status, app_name))


def exposition_pieces(status: WorkerStatus, app_name: str) -> Iterator[str]:
    """The same in pieces: of ten thousand shards it is 27 MB, and takes seconds to make."""
    lines: list[str] = []
    for line in _lines(status, app_name):
        lines.append(line)
        if len(lines) >= PIECE_LINES:
            yield "\n".join(lines) + "\n"
            lines = []
    yield "\n".join(lines) + "\n" if lines else ""


def _lines(status: WorkerStatus, app_name: str) -> Iterator[str]:
    yield "# HELP kcl_worker_info Which worker this is."
    yield "# TYPE kcl_worker_info gauge"
    worker = _labels(app_name, worker_id=status.worker_id, state=status.state)
    yield f"kcl_worker_info{worker}}} 1"
    shards = {shard: _labels(app_name, shard=shard) for shard in (*status.shards, *status.work)}
    labels: dict[str | None, str] = {None: _labels(app_name)}
    labels.update(shards)
    for metric in METRICS:
        series = _series(metric, status, labels)
        first = next(series, None)
        if first is not None:
            name = full_name(metric)
            says = metric.says.replace("\\", r"\\")
            yield f"# HELP {name} {says}"
            yield f"# TYPE {name} {_TYPES[metric.kind]}"
            yield first
            yield from series


def _series(
    metric: Metric, status: WorkerStatus, labels: Mapping[str | None, str]
) -> Iterator[str]:
    sources: Iterable[tuple[str | None, object]] = [(None, status)]
    if metric.is_per_shard:
        sources = (status.work if metric.scope == "work" else status.shards).items()
    name = full_name(metric)
    for shard, source in sources:
        value = metric.read(source)
        if isinstance(value, Timing):
            yield from _histogram(name, value, labels[shard])
        elif value is not None:
            yield f"{name}{labels[shard]}}} {_number(value)}"


def _histogram(name: str, timing: Timing, labels: str) -> Iterator[str]:
    so_far = 0
    for bound, count in zip((*TIMING_BOUNDS, None), timing.counts, strict=True):
        so_far += count
        end = "+Inf" if bound is None else _number(bound)
        yield f'{name}_bucket{labels},le="{end}"}} {so_far}'
    yield f"{name}_sum{labels}}} {_number(timing.seconds)}"
    yield f"{name}_count{labels}}} {so_far}"


def _labels(app_name: str, **others: str) -> str:
    """Labels without the brace that ends them: more may follow."""
    every = {"application": app_name, **others}
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in every.items())


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)


def _number(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "+Inf" if value > 0 else "-Inf"
    return repr(int(value)) if float(value).is_integer() else repr(float(value))
