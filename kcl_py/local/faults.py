"""Which requests go wrong, and how?"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

FaultKind = Literal["throttle", "500", "delay", "cut", "lost", "deny", "partial"]
_KINDS: tuple[str, ...] = get_args(FaultKind)
_SERVICES = ("kinesis", "dynamodb", "*")


@dataclass(slots=True, kw_only=True)
class FaultRule:
    """One kind of fault for some requests. The first rule that matches and strikes wins.

    Attributes:
        kind: `throttle`, `500`, `deny`: that error, and nothing is done. `delay`: done after
            `seconds`. `cut`: nothing is done, the connection closes after `seconds`. `lost`: done,
            but the connection closes without an answer after `seconds`. `partial`: each record or
            item of a batch is left out with `probability`.
        service: `kinesis`, `dynamodb` or `*`.
        operations: Names of operations, or `*`.
        source: Only requests signed with this access key id: one worker of several.
        key: Only DynamoDB requests whose Key or Item holds these attribute values.
        probability: How often a matching request is struck.
        seconds: See `kind`.
        count: Strike at most so often; None is without end.
        hits: How often it struck.
    """

    kind: str
    service: str = "*"
    operations: tuple[str, ...] | Literal["*"] = "*"
    source: str | None = None
    key: Mapping[str, Any] | None = None
    probability: float = 1.0
    seconds: float = 0.0
    count: int | None = None
    hits: int = 0
    rng: random.Random = field(default_factory=random.Random, repr=False)

    def matches(self, asked: Asked) -> bool:
        """Whether the rule is about this request."""
        if self.count is not None and self.hits >= self.count:
            return False
        if self.service not in ("*", asked.service):
            return False
        if self.operations != "*" and asked.operation not in self.operations:
            return False
        if self.source is not None and self.source != asked.source:
            return False
        return self.key is None or asked.touches(self.key)

    def describe(self) -> dict[str, Any]:
        """As the control endpoint shows it."""
        shown: dict[str, Any] = {"kind": self.kind, "service": self.service, "hits": self.hits}
        shown["operations"] = self.operations if self.operations == "*" else list(self.operations)
        shown |= {"source": self.source, "key": self.key, "probability": self.probability}
        return shown | {"seconds": self.seconds, "count": self.count}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the rules look at in a request."""

    service: str
    operation: str
    source: str | None
    request: Mapping[str, Any]

    def touches(self, key: Mapping[str, Any]) -> bool:
        """Whether the request names an item with these attribute values."""
        named = self.request.get("Key") or self.request.get("Item")
        return isinstance(named, dict) and all(
            named.get(name) == value for name, value in key.items()
        )


class FaultPlan:
    """The rules in force.

    Each draws from a randomness of its own, made of the seed and its place, so that requests that
    are none of its business do not change what it does.
    """

    def __init__(self, seed: int = 0) -> None:
        self._seed = seed
        self.rules: list[FaultRule] = []

    def replace(self, rules: list[Any], seed: int | None = None) -> None:
        """Put these rules, as mappings, in the place of all.

        Raises:
            ValueError: A rule cannot be understood; the old ones stay.
        """
        seed = self._seed if seed is None else seed
        made = [_rule(rule) for rule in rules]
        for number, rule in enumerate(made):
            rule.rng = random.Random(f"{seed}/{number}")
        self._seed = seed
        self.rules = made

    def strike(self, asked: Asked) -> FaultRule | None:
        """The rule that strikes this request."""
        for rule in self.rules:
            if not rule.matches(asked):
                continue
            if rule.kind == "partial" or rule.rng.random() < rule.probability:
                rule.hits += 1
                return rule
        return None


def _rule(given: Any) -> FaultRule:  # noqa: ANN401
    if not isinstance(given, dict):
        raise ValueError("a fault rule is a map")  # noqa: TRY004 - as every bad rule
    known = {"kind", "service", "operations", "source", "key", "probability", "seconds", "count"}
    unknown = sorted(given.keys() - known)
    if unknown:
        raise ValueError(f"a fault rule has no {', '.join(unknown)}; it has {sorted(known)}")
    if given.get("kind") not in _KINDS:
        raise ValueError(f"kind must be one of {', '.join(_KINDS)}")
    if given.get("service", "*") not in _SERVICES:
        raise ValueError(f"service must be one of {', '.join(_SERVICES)}")
    given = {name: value for name, value in given.items() if value is not None}
    operations = given.pop("operations", "*")
    if operations != "*":
        operations = tuple(operations)
    return FaultRule(operations=operations, **given)
