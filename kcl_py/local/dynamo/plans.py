"""What have the expressions of a request been turned into, and do its placeholders match them?

Reading an expression takes far longer than using it, so what was read is kept by its text.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from kcl_py.local.dynamo.apply import CompiledUpdate
from kcl_py.local.dynamo.conditions import read_condition, read_projection
from kcl_py.local.dynamo.evaluate import Names, Predicate, Values, compile_condition
from kcl_py.local.dynamo.lexer import Tokens
from kcl_py.local.dynamo.literals import Demands, demands_of
from kcl_py.local.dynamo.syntax import Condition, Path
from kcl_py.local.dynamo.updates import read_update
from kcl_py.local.dynamo.values import clean
from kcl_py.local.errors import invalid

_KEPT = 4096

EXPRESSIONS = (
    "ConditionExpression",
    "UpdateExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
)


class Plan(NamedTuple):
    """The expressions of one request, ready to use, and the placeholders that they need."""

    condition: Predicate | None
    update: CompiledUpdate | None
    filter: Predicate | None
    key_condition: Condition | None
    projection: tuple[Path, ...] | None
    demands: tuple[Demands, ...]
    aliases: frozenset[str]
    values: frozenset[str]


class Bound(NamedTuple):
    """A plan with the names and values of a request."""

    plan: Plan
    names: Names
    values: Values


def bind(request: Mapping[str, Any]) -> Bound:
    """Read the request's expressions and check its placeholders against them.

    Raises:
        AwsError: An expression cannot be read, or a placeholder is missing or not used.
    """
    get = request.get
    plan = _plan(
        get("ConditionExpression"),
        get("UpdateExpression"),
        get("FilterExpression"),
        get("KeyConditionExpression"),
        get("ProjectionExpression"),
    )
    names = get("ExpressionAttributeNames")
    values = get("ExpressionAttributeValues")
    if names is not None or plan.aliases:
        _match("ExpressionAttributeNames", names, plan.aliases)
    if values is not None or plan.values:
        _match("ExpressionAttributeValues", values, plan.values)
        values = {name: clean(value) for name, value in (values or {}).items()}
        for demands in plan.demands:
            demands.check(values)
    return Bound(plan, names or {}, values or {})


@lru_cache(maxsize=_KEPT)
def _plan(*texts: str | None) -> Plan:
    condition, update, filtering, key_condition, projection = (
        None if text is None else Tokens(parameter, _checked(parameter, text))
        for parameter, text in zip(EXPRESSIONS, texts, strict=True)
    )
    used = [t for t in (condition, update, filtering, key_condition, projection) if t is not None]
    condition_read = None if condition is None else read_condition(condition)
    update_read = None if update is None else read_update(update)
    filter_read = None if filtering is None else read_condition(filtering)
    return Plan(
        condition=None if condition_read is None else compile_condition(condition_read),
        update=None if update_read is None else CompiledUpdate(update_read),
        filter=None if filter_read is None else compile_condition(filter_read),
        key_condition=None if key_condition is None else read_condition(key_condition),
        demands=tuple(
            demands
            for demands in (
                demands_of(condition_read, update_read),
                demands_of(filter_read, None),
            )
            if any(demands)
        ),
        projection=None if projection is None else read_projection(projection),
        aliases=frozenset(alias for tokens in used for alias in tokens.aliases),
        values=frozenset(value for tokens in used for value in tokens.values),
    )


def _checked(parameter: str, text: object) -> str:
    if not isinstance(text, str):
        raise invalid(f"{parameter} must be text")
    return text


def _match(parameter: str, given: Any, used: frozenset[str]) -> None:  # noqa: ANN401
    if given is None:
        given = {}
    elif not isinstance(given, dict) or not given:
        raise invalid(f"{parameter} must be a map that is not empty")
    if given.keys() == used:
        return
    missing = sorted(used - given.keys())
    if missing:
        raise invalid(f"{', '.join(missing)} is used but not defined in {parameter}")
    unused = ", ".join(sorted(given.keys() - used))
    raise invalid(f"{unused} of {parameter} is not used in any expression")
