"""Is what /metrics says in Prometheus' format, and is it the numbers of the status?"""

from __future__ import annotations

import math
import re
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from kcl_py.metrics.catalogue import METRICS
from kcl_py.metrics.prometheus import _number, exposition, exposition_pieces, full_name
from kcl_py.status import idle_status
from tests.metrics.samples import STATUS, shard, work

# Source: Prometheus' text format 0.0.4.
SAMPLE = re.compile(
    r"(?P<name>[a-zA-Z_:][a-zA-Z0-9_:]*)"
    r'\{(?P<labels>(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\[\\n"])*",?)*)\} '
    r"(?P<value>[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)"
)
LABEL = re.compile(r'(\w+)="((?:[^"\\\n]|\\[\\n"])*)"')


def parse(text: str) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Every sample; fails on whatever is not in the format."""
    found = {}
    assert text.endswith("\n")
    seen_types: set[str] = set()
    for line in text[:-1].split("\n"):
        if line.startswith("# TYPE "):
            name = line.split()[2]
            assert name not in seen_types
            seen_types.add(name)
        elif not line.startswith("# HELP "):
            match = SAMPLE.fullmatch(line)
            assert match, line
            assert any(match["name"].startswith(name) for name in seen_types)
            key = match["name"], tuple(LABEL.findall(match["labels"]))
            assert key not in found
            found[key] = float(match["value"])
    return found


def test_counts_levels_and_times_are_those_of_the_status() -> None:
    found = parse(exposition(STATUS, "greeter"))
    app, one = ("application", "greeter"), ("shard", "shardId-1")

    assert found["kcl_records_processed_total", (app, one)] == 6
    assert found["kcl_lag_seconds", (app, one)] == 95
    assert found["kcl_application_lag_seconds", (app,)] == 95
    assert found["kcl_fence_margin_seconds", (app, one)] == 6.25
    assert found["kcl_leases_held", (app,)] == 2
    assert found["kcl_unhealthy", (app,)] == 1
    assert found["kcl_cpu_used_ratio", (app,)] == 0.75
    bucket = "kcl_process_records_seconds_bucket"
    assert found[bucket, (app, one, ("le", "0.01"))] == 0
    assert found[bucket, (app, one, ("le", "0.025"))] == 2
    assert found[bucket, (app, one, ("le", "10"))] == 4
    assert found[bucket, (app, one, ("le", "+Inf"))] == 4
    assert found["kcl_process_records_seconds_count", (app, one)] == 4
    assert found["kcl_process_records_seconds_sum", (app, one)] == 14.04
    assert ("kcl_lag_seconds", (app, ("shard", "shardId-9"))) not in found, "it is not held"


def test_every_metric_is_there() -> None:
    text = exposition(STATUS, "greeter")

    assert {line.split()[2] for line in text.splitlines() if line.startswith("# TYPE")} == {
        "kcl_worker_info",
        *map(full_name, METRICS),
    }


def test_what_is_not_known_is_left_out() -> None:
    text = exposition(idle_status("w-1", "starting"), "greeter")

    assert "kcl_application_lag_seconds" not in text
    assert parse(text)["kcl_leases_held", (("application", "greeter"),)] == 0


@given(st.text(), st.text(min_size=1), st.floats(min_value=0))
def test_whatever_names_and_numbers_are_it_stays_the_format(
    app: str, key: str, behind: float
) -> None:
    status = replace(STATUS, shards={key: shard(key, behind)})
    found = parse(exposition(status, app))

    def plain(text: str) -> str:
        return re.sub(r"\\(.)", lambda m: "\n" if m[1] == "n" else m[1], text)

    lags = {k: v for k, v in found.items() if k[0] == "kcl_lag_seconds"}
    ((_, labels),) = lags
    assert {name: plain(value) for name, value in labels} == {"application": app, "shard": key}
    assert list(lags.values()) == [behind]


def test_of_many_shards_it_comes_in_pieces_of_a_few_milliseconds() -> None:
    many = {f"shardId-{number:012d}": work() for number in range(1000)}
    status = replace(STATUS, work=many)
    pieces = list(exposition_pieces(status, "greeter"))

    assert "".join(pieces) == exposition(status, "greeter")
    assert len(pieces) > 30
    assert max(map(len, pieces)) < 100_000


@given(st.floats())
def test_numbers_are_spelled_as_the_format_wants_them(value: float) -> None:
    spelled = _number(value)

    assert float(spelled) == value or math.isnan(value)
    assert not set(spelled) & set(" _")
    assert math.isfinite(value) or spelled in ("NaN", "+Inf", "-Inf")
