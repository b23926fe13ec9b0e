"""Which requests to the engine go wrong just now? Rules come and go one by one; the engine has all.

The engine's own interface replaces all rules at once, and knows workers by their access keys.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kcl_py.local.environment import ACCESS_KEY_ID
from kcl_py.local.process import EngineProcess

OURS: Final[Mapping[str, Any]] = {"kind": "delay", "seconds": 0.0, "source": ACCESS_KEY_ID}
"""First of all rules, and harmless: it shields the producer and whoever looks on from the rest."""


class Troubles:
    """The rules in force."""

    def __init__(self, engine: EngineProcess, seed: int) -> None:
        self._engine = engine
        self._seed = seed
        self._rules: dict[int, Mapping[str, Any]] = {}
        self._changes = 0
        self.struck: dict[str, int] = {}

    def begin(self, rule: Mapping[str, Any]) -> int:
        """Add a rule; returns the name by which it ends."""
        name = self._changes + 1
        self._rules[name] = rule
        self._tell()
        return name

    def end(self, name: int) -> None:
        """Take a rule back; nothing happens if it is gone already."""
        if self._rules.pop(name, None) is not None:
            self._tell()

    def end_all(self) -> None:
        """From here on all is well."""
        self._rules.clear()
        self._tell()

    def _tell(self) -> None:
        self.count()
        self._changes += 1
        rules = [OURS, *self._rules.values()] if self._rules else []
        self._engine.set_faults(rules, seed=self._seed + self._changes)

    def count(self) -> None:
        """Remember how often the rules struck; the engine forgets it with every change."""
        for rule in self._engine.faults()[1:]:
            self.struck[rule["kind"]] = self.struck.get(rule["kind"], 0) + rule["hits"]
