"""Do fault rules strike the requests they are about, and the same ones for the same seed?"""

from __future__ import annotations

from typing import Any

import pytest

from kcl_py.local.faults import Asked, FaultPlan


def asked(
    operation: str = "UpdateItem",
    service: str = "dynamodb",
    source: str | None = "worker-a",
    **request: Any,
) -> Asked:
    return Asked(service, operation, source, request)


def plan(*rules: dict[str, Any], seed: int = 0) -> FaultPlan:
    made = FaultPlan(seed)
    made.replace(list(rules))
    return made


@pytest.mark.parametrize(
    ("rule", "strikes"),
    [
        ({}, True),
        ({"service": "dynamodb", "operations": ["UpdateItem"]}, True),
        ({"service": "kinesis"}, False),
        ({"operations": ["PutItem", "Scan"]}, False),
        ({"operations": "*", "source": "worker-a"}, True),
        ({"source": "worker-b"}, False),
        ({"key": {"leaseKey": {"S": "s0"}}}, True),
        ({"key": {"leaseKey": {"S": "s1"}}}, False),
        ({"probability": 0.0}, False),
    ],
)
def test_which_request_a_rule_is_about(rule: dict[str, Any], *, strikes: bool) -> None:
    struck = plan({"kind": "throttle", **rule}).strike(asked(Key={"leaseKey": {"S": "s0"}}))

    assert (struck is not None) == strikes


def test_a_rule_strikes_so_often_and_no_more() -> None:
    faults = plan({"kind": "500", "count": 2})

    assert [faults.strike(asked()) is not None for _ in range(4)] == [True, True, False, False]
    assert faults.rules[0].describe()["hits"] == 2


def test_the_first_rule_that_strikes_wins() -> None:
    faults = plan({"kind": "500", "count": 1}, {"kind": "deny"})

    struck = [faults.strike(asked()) for _ in range(2)]

    assert [rule.kind for rule in struck if rule] == ["500", "deny"]


def pattern(seed: int, *, disturbed: bool) -> list[bool]:
    faults = plan(
        {"kind": "deny", "service": "kinesis", "probability": 0.5},
        {"kind": "500", "service": "dynamodb", "probability": 0.5},
        seed=seed,
    )
    struck = []
    for _ in range(40):
        if disturbed:
            faults.strike(asked("GetRecords", "kinesis"))
        struck.append(faults.strike(asked()) is not None)
    return struck


def test_a_seed_decides_whatever_else_is_asked() -> None:
    assert pattern(1, disturbed=False) == pattern(1, disturbed=True)
    assert pattern(1, disturbed=False) != pattern(2, disturbed=False)
    assert 5 < sum(pattern(1, disturbed=False)) < 35


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"kind": "explode"},
        {"kind": "cut", "colour": "red"},
        {"kind": "cut", "service": "s3"},
        1,
    ],
)
def test_a_bad_rule_is_refused_and_the_old_ones_stay(rule: Any) -> None:
    faults = plan({"kind": "deny"})

    with pytest.raises(ValueError, match=r"rule|kind|service"):
        faults.replace([rule])

    assert [kept.kind for kept in faults.rules] == ["deny"]
