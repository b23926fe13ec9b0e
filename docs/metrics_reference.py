"""What does the page of metrics say? Everything in it comes from the catalogue."""

from __future__ import annotations

from kcl_py.metrics.catalogue import METRICS
from kcl_py.metrics.metric import Metric
from kcl_py.metrics.otel import instrument_name, instrument_unit
from kcl_py.metrics.prometheus import full_name

HEAD = """# Metrics
{made}

What a worker counts, by the names of Prometheus, OpenTelemetry and CloudWatch. How to get them: [observe](../how-to/observe.md#metrics). Counted for each page, batch and
call, never for each record; all of it is in `status()`, too.

- **count** only grows, from the start of the worker; CloudWatch is sent what came in an interval.
- **level** is looked at: by Prometheus and OpenTelemetry when they ask; for CloudWatch every 10 s, as a statistic set of the interval.
- **time** is a histogram for Prometheus and OpenTelemetry. CloudWatch is sent values and how often each came, so that it knows averages and percentiles.

The unit of a time is seconds in Prometheus and milliseconds in CloudWatch; that of a fraction a ratio (1 is all of it) and percent.

## Names and dimensions

| | |
|---|---|
| Prometheus | label `application`; `shard` where the table says so. `kcl_worker_info` has the `worker_id` and the `state` |
| OpenTelemetry, scope `kcl_py` | attributes `kcl.application` and `aws.kinesis.stream_name`. A level has `kcl.worker`, too, and at `level=summary` is that of the worst shard |
| OpenTelemetry, `level=detailed` | `kcl.shard` where the table says shard, `kcl.worker` where it says worker; these in the place of the whole, so that sums are right |
| CloudWatch, namespace | `metrics.namespace`, by default the application name, as in the Java KCL |
| CloudWatch, `level=summary` | dimension `Operation`, as below: all shards and workers together |
| CloudWatch, `level=detailed` | these, and the same with `Operation` and `ShardId` for each shard, with `Operation` and `WorkerIdentifier` for each worker |

With `level=detailed`, the shard `older` is what was done for shards that a worker has forgotten, having given up more than 1000 others since, as when
thousands move at once. Without it sums over shards would miss that.

OpenTelemetry's names become those of Prometheus where a collector translates them. A name in bold is that of the Java KCL, with its `Operation`. Two things differ from there: at its level SUMMARY, too, it sends a metric for each shard; and its
`Success` of a task has no like here, since failures are counted by what failed.
"""


def row(metric: Metric) -> str:
    name = f"**`{metric.cloudwatch}`**" if metric.is_kcl else f"`{metric.cloudwatch}`"
    if metric.scope == "application":
        dimension = ""
    else:
        dimension = "shard" if metric.is_per_shard else "worker"
    return (
        f"| `{full_name(metric)}` | `{instrument_name(metric)}` | `{instrument_unit(metric)}` "
        f"| {name} | `{metric.operation}` | {metric.kind} | {metric.unit} "
        f"| {dimension} | {metric.says} |"
    )


def metrics_page(made: str) -> str:
    """The page."""
    lines = [
        HEAD.format(made=made),
        "## All of them\n",
        "| Prometheus | OpenTelemetry | its unit | CloudWatch | Operation | kind | unit | detailed by | what |",
        "|---|---|---|---|---|---|---|---|---|",
        *map(row, METRICS),
    ]
    return "\n".join(lines) + "\n"
