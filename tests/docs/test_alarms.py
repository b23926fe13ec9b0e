"""Are the alarms of the page those of the files, on metrics that there are?

That they fire when they should is played by Prometheus' own tool: tests/deploy/test_prometheus.py.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import promql_parser
import pytest
import yaml

from kcl_py.metrics.catalogue import METRICS
from kcl_py.metrics.prometheus import full_name
from tests.docs.pages import DOCS, ROOT

PAGE: Final = DOCS / "how-to" / "alarms.md"
RULES: Final = ROOT / "deploy" / "prometheus" / "kcl-alarms.yaml"
PLAYED: Final = RULES.with_name("kcl-alarms-test.yaml")
STACK: Final = ROOT / "deploy" / "cloudformation" / "observability.yaml"
ALARMS: Final = [
    rule
    for group in yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
]
LABELS: Final = {"application", "instance", "shard"}


class Plain(yaml.SafeLoader):
    """Reads a template; what a function of CloudFormation gives is not looked at."""


def of_a_function(_loader: Plain, _tag: str, _node: yaml.Node) -> None:
    """Whatever it gives."""


Plain.add_multi_constructor("!", of_a_function)


def known_series() -> Iterator[str]:
    """Every name that stands at /metrics."""
    yield "kcl_worker_info"
    for metric in METRICS:
        ends = ("_bucket", "_sum", "_count") if metric.kind == "time" else ("",)
        yield from (full_name(metric) + end for end in ends)


def parts_of(expression: Any) -> Iterator[Any]:
    """An expression, and all that it is made of."""
    yield expression
    for name in ("lhs", "rhs", "expr", "vector_selector"):
        inner = getattr(expression, name, None)
        if inner is not None:
            yield from parts_of(inner)
    for each in getattr(expression, "args", None) or ():
        yield from parts_of(each)


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm["alert"])
def test_an_alarm_looks_at_numbers_that_there_are(alarm: dict[str, Any]) -> None:
    expression = promql_parser.parse(alarm["expr"])

    series = {
        part.name for part in parts_of(expression) if isinstance(part, promql_parser.VectorSelector)
    }
    assert series
    assert series <= set(known_series())
    assert series == set(re.findall(r"\bkcl_\w+", alarm["expr"]))
    grouped = re.findall(r"by \(([^)]*)\)", alarm["expr"])
    assert {label.strip() for labels in grouped for label in labels.split(",")} <= LABELS


@pytest.mark.parametrize("alarm", ALARMS, ids=lambda alarm: alarm["alert"])
def test_an_alarm_says_what_is_wrong_and_where_to_look(alarm: dict[str, Any]) -> None:
    assert set(alarm) <= {"alert", "expr", "for", "labels", "annotations"}
    assert alarm["labels"]["severity"] in ("warning", "critical")
    assert set(alarm["annotations"]) == {"summary", "look"}


def test_the_page_has_every_alarm_of_both_files() -> None:
    text = PAGE.read_text(encoding="utf-8")
    resources = yaml.load(STACK.read_text(encoding="utf-8"), Loader=Plain)["Resources"]
    stack = {name for name, each in resources.items() if each["Type"].endswith("::Alarm")}
    rows = [row for row in text.splitlines() if row.startswith("| [")]
    named = [[re.findall(r"`(\w+)`", cell) for cell in row.split("|")[2:4]] for row in rows]

    assert {name for cells in named for name in cells[0]} == stack
    assert {name for cells in named for name in cells[1]} == {each["alert"] for each in ALARMS}


def minutes(row: str) -> list[str]:
    return re.findall(r"for (\d+) minutes", row)


def test_the_page_has_the_thresholds_of_the_files() -> None:
    text = PAGE.read_text(encoding="utf-8")
    resources = yaml.load(STACK.read_text(encoding="utf-8"), Loader=Plain)["Resources"]

    for row in (row for row in text.splitlines() if row.startswith("| [")):
        cloudwatch, prometheus = row.split("|")[2:4]
        for name in re.findall(r"`(\w+)`", cloudwatch):
            periods = resources[name]["Properties"]["EvaluationPeriods"]
            assert minutes(cloudwatch) == [str(periods)]
        for alarm in (each for each in ALARMS if f"`{each['alert']}`" in prometheus):
            shown = minutes(prometheus) or minutes(cloudwatch)
            waits = alarm.get("for", "")
            assert shown == ([waits.removesuffix("m")] if waits else [])


def test_every_alarm_is_played_quiet_and_firing() -> None:
    played = yaml.safe_load(PLAYED.read_text(encoding="utf-8"))["tests"]
    quiet = {each["alertname"] for each in played[0]["alert_rule_test"] if not each["exp_alerts"]}
    firing = {each["alertname"] for each in played[-1]["alert_rule_test"] if each["exp_alerts"]}

    assert quiet == firing == {each["alert"] for each in ALARMS}


@pytest.mark.parametrize("path", [RULES, PLAYED], ids=lambda path: path.name)
def test_the_files_say_what_they_are(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# ")
