"""Is something allowed as the value of a setting? The error says what is."""

from __future__ import annotations

import math

from kcl_py.errors import ConfigError


def check_number(
    name: str,
    value: object,
    *,
    low: float = -math.inf,
    above: float = -math.inf,
    high: float = math.inf,
    hint: str = "",
) -> None:
    """Refuse what is no finite number, below `low`, not above `above`, or over `high`."""
    if (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and math.isfinite(value)
        and value >= low
        and value > above
        and value <= high
    ):
        return
    limits = [
        f"{word} {limit:g}"
        for word, limit in (("at least", low), ("above", above), ("at most", high))
        if math.isfinite(limit)
    ]
    raise ConfigError(
        f"{name} = {value!r} is not allowed; use a number {' and '.join(limits)}"
        + (f" ({hint})" if hint else "")
    )


def check_count(
    name: str, value: object, *, low: int, high: float = math.inf, hint: str = ""
) -> None:
    """Refuse what is no whole number inside [low, high]."""
    if not isinstance(value, int):
        raise ConfigError(f"{name} = {value!r} is not allowed; use a whole number")
    check_number(name, value, low=low, high=high, hint=hint)


def check_part(name: str, value: object, kind: type) -> None:
    """Refuse what is none of our classes, such as a mapping of settings.

    Raises:
        ConfigError: It is none.
    """
    if not isinstance(value, kind):
        raise ConfigError(
            f"{name} is a {type(value).__name__}; give a {kind.__name__}, as "
            f"{kind.__name__}(...) with the settings by name"
        )
