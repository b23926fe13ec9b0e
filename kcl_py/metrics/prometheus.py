"""How are the numbers of one worker written for Prometheus? Its text format, as it was asked for.

No library is needed for that: everything is counted already, and this only spells it.
Source: Prometheus' exposition formats, text format 0.0.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from kcl_py.metrics.catalogue import METRICS
from kcl_py.metrics.metric import Metric, Unit
from kcl_py.status import TIMING_BOUNDS, Timing, WorkerStatus

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
    lines = [
        "# HELP kcl_worker_info Which worker this is.",
        "# TYPE kcl_worker_info gauge",
        f"kcl_worker_info{_labels(app_name, worker_id=status.worker_id, state=status.state)} 1",
    ]
    for metric in METRICS:
        found = list(_series(metric, status, app_name))
        if found:
            name = full_name(metric)
            says = metric.says.replace("\\", r"\\")
            lines += [f"# HELP {name} {says}", f"# TYPE {name} {_TYPES[metric.kind]}", *found]
    return "\n".join(lines) + "\n"


def _series(metric: Metric, status: WorkerStatus, app_name: str) -> Iterator[str]:
    sources: Iterable[tuple[str | None, object]] = [(None, status)]
    if metric.is_per_shard:
        sources = (status.work if metric.scope == "work" else status.shards).items()
    for shard, source in sources:
        value = metric.read(source)
        of = {} if shard is None else {"shard": shard}
        if isinstance(value, Timing):
            yield from _histogram(full_name(metric), value, app_name, of)
        elif value is not None:
            yield f"{full_name(metric)}{_labels(app_name, **of)} {_number(value)}"


def _histogram(name: str, timing: Timing, app_name: str, of: Mapping[str, str]) -> Iterator[str]:
    so_far = 0
    for bound, count in zip((*TIMING_BOUNDS, None), timing.counts, strict=True):
        so_far += count
        end = "+Inf" if bound is None else _number(bound)
        yield f"{name}_bucket{_labels(app_name, **of, le=end)} {so_far}"
    yield f"{name}_sum{_labels(app_name, **of)} {_number(timing.seconds)}"
    yield f"{name}_count{_labels(app_name, **of)} {so_far}"


def _labels(app_name: str, **others: str) -> str:
    every = {"application": app_name, **others}
    return "{" + ",".join(f'{key}="{_escaped(value)}"' for key, value in every.items()) + "}"


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)


def _number(value: float) -> str:
    if value == float("inf"):
        return "+Inf"
    return repr(int(value)) if float(value).is_integer() else repr(float(value))
