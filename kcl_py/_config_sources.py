"""Which source says what a setting is? Files of TOML, and who wins where several speak.

A file has the names of the settings as tables and keys, and besides `app` and `stream`:

    app = "orders"
    [leases]
    duration = "10s"
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from kcl_py.errors import ConfigError
from kcl_py.settings import apply_settings, env_name, parse_setting

if TYPE_CHECKING:
    from os import PathLike

_Config = TypeVar("_Config")

FILE_BYTES_MAX: Final = 1024 * 1024
FILE_VARIABLE: Final = "KCL_CONFIG"
"""Names the file where no argument and no flag does."""

OTHER_NAMES: Final = ("app", "stream")
"""What a file may say besides settings, with the names of the flags."""

_INT_MAX: Final = 2**63 - 1
"""Source: TOML 1.0, Integer: 64 bits; what is more may be refused."""

_TAGS: Final = "table.tags"
_HEADER: Final = re.compile(r"\s*\[\s*([^\[\]]+?)\s*\]\s*(?:#.*)?")
_ASSIGNMENT: Final = re.compile(r"\s*([\w.\"'-]+)\s*=")


@dataclass(frozen=True, slots=True)
class Given:
    """One setting as a source spells it.

    Attributes:
        origin: A flag, a variable, or file and key.
    """

    text: str
    origin: str


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """What a file says; every name in it is known, and every value can be read.

    Attributes:
        path: As it was named.
        settings: By name.
        app: The application.
        stream: Its stream.
    """

    path: str
    settings: Mapping[str, Given]
    app: str | None = None
    stream: str | None = None


NO_FILE: Final = ConfigFile("", MappingProxyType({}))


def read_config_file(path: str | PathLike[str]) -> ConfigFile:
    """Read a file of TOML.

    Raises:
        ConfigError: It cannot be read, is no TOML, or says what is no setting; the message names
            file and line.
    """
    name = str(path)
    try:
        with Path(path).open("rb") as file:
            raw = file.read(FILE_BYTES_MAX + 1)
    except (OSError, ValueError) as error:  # ValueError: no path at all
        said = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"the configuration file {name} cannot be read: {said}; check its name and its rights"
        ) from None
    if len(raw) > FILE_BYTES_MAX:
        raise ConfigError(f"{name} is longer than {FILE_BYTES_MAX} bytes; that is no configuration")
    try:
        # As some editors save it: with a mark at the beginning.
        text = raw.decode("utf-8-sig").replace("\r\n", "\n")
        return parse_config_file(name, text)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8 (byte {error.start}); save it as UTF-8") from None


def parse_config_file(path: str, text: str) -> ConfigFile:
    """Read the text of a file.

    Raises:
        ConfigError: As `read_config_file`.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{path} is no TOML: {error}{_hint(path, str(error))}") from None
    except RecursionError:
        raise ConfigError(f"{path} is no TOML: it is nested too deeply") from None
    except ValueError:  # what Python refuses to read, and TOML leaves open
        raise ConfigError(f"{path} has a number of too many digits; take some away") from None
    others = {name: document.pop(name) for name in OTHER_NAMES if name in document}
    settings: dict[str, Given] = {}
    for key, value in _leaves(document, ""):
        try:
            spelled = _text_of(key, value)
            parse_setting(key, spelled)
        except ConfigError as error:
            raise ConfigError(f"{_place(path, text, key)}: {error}") from None
        if key in settings:
            place = _place(path, text, key)
            raise ConfigError(f"{place}: {key} is there twice, in two spellings; leave one of them")
        settings[key] = Given(spelled, f"{path}:{key}")
    for key, value in others.items():
        if not isinstance(value, str) or not value.strip():
            raise ConfigError(f"{_place(path, text, key)}: {key} must be a text that is not empty")
    return ConfigFile(path, settings, others.get("app"), others.get("stream"))


def _hint(path: str, problem: str) -> str:
    if path.endswith(".properties"):
        return (
            "; a file of amazon_kclpy is not read here: docs/how-to/migrate-from-the-kcl.md has "
            "the names that most files have, docs/reference/kcl-names.md all"
        )
    return '; texts stand in quotes, as app = "orders"' if "Invalid value" in problem else ""


def apply_sources(config: _Config, *sources: Mapping[str, Given]) -> _Config:
    """A copy of a WorkerConfig with what the sources say; of two the earlier one wins.

    Raises:
        ConfigError: A value is not allowed; the message says where it is from, and so of each
            setting without which it would be.
    """
    merged = merge(*sources)
    texts = {name: given.text for name, given in merged.items()}
    try:
        return apply_settings(config, texts)
    except ConfigError as error:
        blamed = [name for name in merged if _has_a_part(config, texts, name, str(error))]
        if not blamed:
            raise
        named = "; ".join(f"{name} is from {merged[name].origin}" for name in blamed)
        raise ConfigError(f"{error} ({named})") from None


def _has_a_part(config: object, texts: Mapping[str, str], name: str, said: str) -> bool:
    """Say whether without this setting it would not be said; the words of a message do not tell.

    They name settings that would be a way out, and do not name each that sets a limit.
    """
    try:
        apply_settings(config, {other: text for other, text in texts.items() if other != name})
    except ConfigError as error:
        return str(error) != said
    return True


def merge(*sources: Mapping[str, Given]) -> dict[str, Given]:
    """All that is said; of two sources the earlier one wins."""
    merged: dict[str, Given] = {}
    for source in reversed(sources):
        merged.update(source)
    return merged


def from_variables(settings: Mapping[str, str]) -> dict[str, Given]:
    """Settings that variables say, with the names of these."""
    return {name: Given(text, env_name(name)) for name, text in settings.items()}


def application_of(env: Mapping[str, str], file: str | PathLike[str] | None) -> tuple[str, str]:
    """Return application and stream: of two sources the variable wins.

    Raises:
        ConfigError: One of them is said nowhere, or the file is wrong.
    """
    path = file if file is not None else env.get(FILE_VARIABLE)
    said = read_config_file(path) if path else NO_FILE
    app, stream = env.get("KCL_APP_NAME") or said.app, env.get("KCL_STREAM") or said.stream
    if app and stream:
        return app, stream
    missing = [
        *(() if app else ("KCL_APP_NAME",)),
        *(() if stream else ("KCL_STREAM",)),
    ]
    raise ConfigError(
        f"{' and '.join(missing)} must be set in the environment, or `app` and `stream` in the "
        "configuration file"
    )


def _leaves(table: Mapping[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and name != _TAGS:
            yield from _leaves(value, f"{name}.")
        else:
            yield name, value


def _text_of(name: str, value: object) -> str:
    """Spell a value of TOML as `--set` would."""
    match value:
        case bool():
            return str(value).lower()
        case str():
            return value
        case int() if abs(value) > _INT_MAX:
            raise ConfigError(f"{name} has too many digits; take some away")
        case int() | float():
            return repr(value)
        case datetime() | date() | time():
            return value.isoformat()
        case dict():
            return _tags(value)
        case _:
            raise ConfigError(f"{name} is a list; write one value")


def _tags(value: Mapping[str, object]) -> str:
    for key, tag in value.items():
        if not isinstance(tag, str) or "=" in key or "," in key + tag:
            raise ConfigError(
                f"the tag {key} of {_TAGS} cannot be written in a file: give a text without a "
                "comma, and no = in its name; TableConfig(tags=...) in code takes any"
            )
    return ",".join(f"{key}={tag}" for key, tag in value.items())


def _place(path: str, text: str, name: str) -> str:
    """File and line of a key, as far as it is written in the usual way."""
    table = ""
    for number, line in enumerate(text.splitlines(), start=1):
        header = _HEADER.fullmatch(line)
        if header is not None:
            table = f"{header[1]}."
        assignment = _ASSIGNMENT.match(line)
        if assignment is not None and f"{table}{assignment[1]}".replace('"', "") == name:
            return f"{path} line {number}"
    return path
