"""`kcl config show`: which value does each setting have, and who says so?"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from kcl_py._config_sources import Given, merge
from kcl_py._environment import process_environment
from kcl_py.cli.options import Output, Shared
from kcl_py.settings import known_settings, unit_of

COLUMNS: Final = ("setting", "value", "unit", "origin")

DEFAULT: Final = "default"


def show(shared: Shared) -> int:
    """Show every setting: its value, its unit, and who says so.

    Flags come before variables, these before the file, and that before the defaults. Connects to
    nothing. Whatever a worker would refuse is refused here too, with exit code 2.
    """
    from kcl_py.cli.output import print_rows

    config: Any = shared.worker_config()
    given = merge(*shared.sources())
    rows = [_named(shared, "app", "KCL_APP_NAME"), _named(shared, "stream", "KCL_STREAM")]
    rows += [_setting(config, name, given.get(name)) for name in known_settings()]
    if shared.form is Output.TABLE:
        rows = [{**row, "value": _spelled(row["value"])} for row in rows]
    print_rows(shared, rows, COLUMNS, "settings")
    return 0


def _spelled(value: object) -> str:
    """As it would be written in a variable or a flag, without its unit."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case dict():
            return ",".join(f"{key}={item}" for key, item in value.items())
        case float():
            return f"{value:g}"
        case _:
            return str(value)


def _setting(config: Any, name: str, given: Given | None) -> dict[str, object]:  # noqa: ANN401
    value = config  # walks down any of the classes
    for part in name.split("."):
        value = getattr(value, part)
    if isinstance(value, datetime):
        value = value.isoformat()
    return {
        "setting": name,
        "value": value,
        "unit": unit_of(name),
        "origin": DEFAULT if given is None else given.origin,
    }


def _named(shared: Shared, name: str, variable: str) -> dict[str, object]:
    """Say who names the application, or the stream."""
    value = getattr(shared, name)
    if value is None:
        origin = DEFAULT
    elif process_environment().get(variable) == value:
        origin = variable
    elif getattr(shared.file(), name) == value:
        origin = f"{shared.config}:{name}"
    else:
        origin = f"--{name}"
    return {"setting": name, "value": value, "unit": None, "origin": origin}
