"""What was done to a world, and what could be seen of it? A transcript for people, and for diffs.

Each deed of the nemesis is a command; under its dashes stands what happened until the next one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kcl_py.testing.seeds.simulate import Outcome
    from kcl_py.testing.sim.trace import Line

_EVERYDAY: Final = frozenset(
    {"delivered", "call", "returned", "asked", "applied renew", "applied beat", "stacks"}
)
"""What happens all the time and tells nothing."""


def transcript(outcome: Outcome, *, everything: bool = False) -> str:
    """Return it as text.

    Args:
        outcome: Of a world that has ended.
        everything: Every record, call and renewal too.
    """
    parts = [f"world seed={outcome.plan.seed}", "----"]
    for line in outcome.world.trace.lines:
        if line.who == "nemesis":
            parts += ["", f"{line.what} at={line.at:.3f}", "----"]
        elif everything or line.what not in _EVERYDAY:
            parts.append(_shown(line))
    parts += ["", "judge", "----", _judged(outcome), ""]
    return "\n".join(parts)


def _shown(line: Line) -> str:
    facts = " ".join(str(fact) for fact in line.facts)
    return " ".join(f"{line.at:.3f} {line.who} {line.what} {line.key} {facts}".split())


def _judged(outcome: Outcome) -> str:
    if outcome.failure is None:
        return "all promises kept"
    return f"{type(outcome.failure).__name__}: {outcome.failure}"
