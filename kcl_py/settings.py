"""How is a setting spelled as text, in the environment and in `--set`?

One table names every setting and how its text is read. Configuration objects are handed in and
copied with the new values, so this file knows names and spellings and no class.
"""

from __future__ import annotations

import difflib
import re
import warnings
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, TypeVar, cast

from kcl_py._kcl_names import hint_for
from kcl_py.errors import ConfigError

__all__ = [
    "OTHER_VARIABLES",
    "apply_settings",
    "env_name",
    "known_settings",
    "parse_setting",
    "settings_from_env",
    "unit_of",
]

_Config = TypeVar("_Config")

OTHER_VARIABLES: Final = frozenset({"KCL_APP_NAME", "KCL_CONFIG", "KCL_STREAM"})
"""Variables that are no setting of a WorkerConfig."""

ONLY_FLAGS: Final = frozenset(
    {
        "--debug", "--endpoint-url", "--json", "--log-format", "--log-level", "--no-color",
        "--output", "--processes", "--profile", "--timeout", "--yes",
    }
)  # fmt: skip
"""Flags of commands that no variable says."""

_PREFIX: Final = "KCL_"
_ALL: Final = "kcl_py.config lists all, as does `kcl config show`"
_NAMES_OF_OTHERS: Final = frozenset(
    {"app", "appname", "application", "applicationname", "stream", "streamname", "streamarn"}
)
"""What people write for application and stream, which are no settings."""
SHOWN_LENGTH_MAX: Final = 100
"""Of a text that is quoted because it is wrong."""

_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h)?")
_DURATION_SECONDS: Final = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
_SIZE: Final = re.compile(r"(\d{1,18})\s*([KMG]i?)?B?", re.IGNORECASE)
_SIZE_BYTES: Final = {
    "": 1,
    "k": 1000,
    "m": 1000**2,
    "g": 1000**3,
    "ki": 1024,
    "mi": 1024**2,
    "gi": 1024**3,
}
_TRUTH: Final = {
    "true": True,
    "yes": True,
    "on": True,
    "1": True,
    "false": False,
    "no": False,
    "off": False,
    "0": False,
}


def _duration(text: str) -> float:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError("a duration, as 10s, 500ms, 2m or 1h")
    # Divided, not multiplied, so that 300ms is 0.3 and not 0.3 and a bit.
    number, unit = float(found[1]), found[2] or "s"
    return number / 1000 if unit == "ms" else number * _DURATION_SECONDS[unit]


def _size(text: str) -> int:
    found = _SIZE.fullmatch(text)
    if found is None:
        raise ValueError("a size, as 64MiB, 500kB or 1048576")
    return int(found[1]) * _SIZE_BYTES[(found[2] or "").lower()]


def _count(text: str) -> int:
    try:
        return int(text.replace("_", ""))
    except ValueError:
        raise ValueError("a whole number") from None


def _factor(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError("a number") from None


def _truth(text: str) -> bool:
    try:
        return _TRUTH[text.lower()]
    except KeyError:
        raise ValueError("true or false") from None


def _text(text: str) -> str:
    return text


def _tags(text: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in text.split(",") if pair.strip()]
    if not all(equals and key.strip() for key, equals, _ in pairs):
        raise ValueError("tags, as team=data,stage=test")
    return {key.strip(): value.strip() for key, _, value in pairs}


def _initial_position(text: str) -> str | datetime:
    if text in ("TRIM_HORIZON", "LATEST") or text.lower() in ("earliest", "latest"):
        return text if text.isupper() else text.lower()
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or when.utcoffset() is None:
        raise ValueError("earliest, latest, or a time with its zone as 2026-11-21T10:00Z")
    return when


@dataclass(frozen=True, slots=True)
class _OrNone:
    parse: Callable[[str], object]

    def __call__(self, text: str) -> object:
        return None if text.lower() == "none" else self.parse(text)


def _or_none(parse: Callable[[str], object]) -> Callable[[str], object]:
    return _OrNone(parse)


_SETTINGS: Final[Mapping[str, Callable[[str], object]]] = MappingProxyType(
    {
        "initial_position": _initial_position,
        "worker_name": _or_none(_text),
        "stop_grace": _duration,
        "on_error.attempts": _count,
        "on_error.backoff.first": _duration,
        "on_error.backoff.longest": _duration,
        "on_error.backoff.factor": _factor,
        "on_error.backoff.jitter": _truth,
        "on_error.then": _text,
        "on_error.dead_letters": _or_none(_text),
        "leases.duration": _duration,
        "leases.fence_margin": _duration,
        "leases.max_leases": _or_none(_count),
        "leases.handoff_timeout": _duration,
        "leases.settle": _duration,
        "leases.scan_interval": _or_none(_duration),
        "table.name": _or_none(_text),
        "table.create": _truth,
        "table.tags": _tags,
        "table.point_in_time_recovery": _truth,
        "table.deletion_protection": _truth,
        "table.kms_key": _or_none(_text),
        "reading.busy_interval": _duration,
        "reading.idle_interval": _duration,
        "reading.page_records": _count,
        "reading.strays": _text,
        "delivery.batch_records": _count,
        "delivery.buffer_bytes": _size,
        "delivery.checkpoint_interval": _or_none(_duration),
        "delivery.slow_after": _duration,
        "delivery.hung_after": _or_none(_duration),
        "notices.watch": _text,
        "notices.drain_on_rebalance": _truth,
        "notices.lifecycle_hook": _or_none(_text),
        "notices.auto_scaling_group": _or_none(_text),
        "health.port": _or_none(_count),
        "health.host": _text,
        "health.file": _or_none(_text),
        "metrics.level": _text,
        "metrics.sink": _text,
        "metrics.namespace": _or_none(_text),
        "metrics.interval": _duration,
        "region": _or_none(_text),
        "kinesis_endpoint_url": _or_none(_text),
        "dynamodb_endpoint_url": _or_none(_text),
        "transport": _text,
    }
)

_UNITS: Final[Mapping[Callable[[str], object], str]] = MappingProxyType(
    {_duration: "seconds", _size: "bytes"}
)


def known_settings() -> Iterable[str]:
    """Every name that `parse_setting` reads, in the order of the documentation."""
    return _SETTINGS.keys()


def unit_of(setting: str) -> str | None:
    """What its number counts: seconds or bytes; None: nothing that has a unit."""
    parse = _SETTINGS[setting]
    return _UNITS.get(parse.parse if isinstance(parse, _OrNone) else parse)


def env_name(setting: str) -> str:
    """The environment variable of a setting: `leases.duration` is `KCL_LEASES_DURATION`."""
    return "KCL_" + setting.upper().replace(".", "_")


def parse_setting(name: str, text: str) -> object:
    """Read the text of one setting.

    Raises:
        ConfigError: No such setting (the nearest right one is named), or not a value for it.
    """
    parse = _SETTINGS.get(name)
    if parse is None:
        raise ConfigError(f"there is no setting {name!r}{_suggestion(name, _SETTINGS)}")
    try:
        return parse(text.strip())
    except ValueError as wanted:
        shown = text if len(text) <= SHOWN_LENGTH_MAX else f"{text[:SHOWN_LENGTH_MAX]}..."
        raise ConfigError(f"{name} = {shown!r} is not allowed; use {wanted}") from None


def apply_settings(config: _Config, settings: Mapping[str, str]) -> _Config:
    """A copy of a WorkerConfig with these settings, checked as a whole.

    Args:
        config: What holds for everything that is not named.
        settings: Text by name, as `{"leases.duration": "5s"}`.
    """
    tree: dict[str, Any] = {}
    for name, text in settings.items():
        value = parse_setting(name, text)
        *path, leaf = name.split(".")
        branch = tree
        for part in path:
            branch = branch.setdefault(part, {})
        # A value in a tuple: a mapping without one is a branch, also where the value is a mapping.
        branch[leaf] = (value,)
    return _replaced(config, tree)


def settings_from_env(env: Mapping[str, str]) -> dict[str, str]:
    """The settings among environment variables; an unknown `KCL_*` variable only warns."""
    names = {env_name(setting): setting for setting in _SETTINGS}
    found = {}
    for variable, text in env.items():
        if variable in names:
            found[names[variable]] = text
        elif (
            variable.startswith(_PREFIX)
            and not variable.startswith("KCL_TEST_")
            and variable not in OTHER_VARIABLES
        ):
            near = _suggestion_for_variable(variable, names.keys() | OTHER_VARIABLES)
            warnings.warn(f"{variable} has no meaning here{near}", stacklevel=3)
    return found


def _replaced(config: _Config, tree: Mapping[str, Any]) -> _Config:
    changes = {
        name: value[0] if isinstance(value, tuple) else _replaced(getattr(config, name), value)
        for name, value in tree.items()
    }
    copy: _Config = replace(cast("Any", config), **changes)  # a dataclass, which no bound can say
    return copy


def _suggestion_for_variable(variable: str, known: Iterable[str]) -> str:
    bare = variable.removeprefix(_PREFIX)
    flag = "--" + bare.lower().replace("_", "-")
    if flag in ONLY_FLAGS:
        return f"; there is only a flag for that, {flag}"
    if bare.replace("_", "").lower() in _NAMES_OF_OTHERS:
        return f"; did you mean {'KCL_APP_NAME' if bare.startswith('APP') else 'KCL_STREAM'!r}?"
    # Without what all have in common, or everything would be near.
    left = {name.removeprefix(_PREFIX): name for name in known}
    hint = hint_for(bare)
    near = difflib.get_close_matches(bare, left, n=1, cutoff=0.65)
    if hint is not None:
        return f"; {hint}"
    if near:
        return f"; did you mean {left[near[0]]!r}?"
    group = sorted(name for word, name in left.items() if word.startswith(f"{bare.split('_')[0]}_"))
    return f"; of {bare.split('_')[0]} there is {', '.join(group)}" if group else f"; {_ALL}"


def _suggestion(name: str, known: Iterable[str]) -> str:
    hint = hint_for(name)
    if name.replace("_", "").lower() in _NAMES_OF_OTHERS:
        word = "app" if name.lower().startswith("app") else "stream"
        theirs = f"; {hint}" if hint is not None else ""
        return f"{theirs}; with `kcl` it is --{word}, and in a file {word}"
    if hint is not None:
        return f"; {hint}"
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"; did you mean {near[0]!r}?" if near else f"; {_ALL}"
