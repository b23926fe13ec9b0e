"""Which pages are made from the code? `python docs/make_reference.py` writes them anew.

A test compares them with the code, so that they cannot fall behind.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

from iam_reference import iam_page, write_policies
from testing_reference import testing_page
from typer.models import ArgumentInfo, OptionInfo

from kcl_py import (
    Backoff,
    DeliveryConfig,
    LeaseConfig,
    OnError,
    PollingConfig,
    TableConfig,
    WorkerConfig,
)
from kcl_py.cli.main import whole_app
from kcl_py.errors import ConfigError
from kcl_py.settings import env_name, known_settings, parse_setting

FOLDER = Path(__file__).parent / "reference"

CLASSES = {
    "": WorkerConfig,
    "on_error": OnError,
    "on_error.backoff": Backoff,
    "leases": LeaseConfig,
    "table": TableConfig,
    "reading": PollingConfig,
    "delivery": DeliveryConfig,
}

JAVA = {
    "initial_position": "initialPositionInStream",
    "worker_name": "workerIdentifier",
    "leases.duration": "failoverTimeMillis",
    "leases.max_leases": "maxLeasesForWorker",
    "leases.handoff_timeout": "gracefulLeaseHandoffTimeoutMillis",
    "table.name": "tableName",
    "table.point_in_time_recovery": "leaseTablePitrEnabled",
    "table.deletion_protection": "leaseTableDeletionProtectionEnabled",
    "reading.idle_interval": "idleTimeBetweenReadsInMillis",
    "reading.page_records": "maxRecords",
    "region": "regionName",
    "kinesis_endpoint_url": "kinesisEndpoint",
    "dynamodb_endpoint_url": "dynamoDBEndpoint",
}
"""Source: the setters of the Java KCL's configuration classes."""

PROBES = (
    ("2m", 120.0, "duration"),
    ("2KiB", 2048, "size"),
    ("7", 7, "number"),
    ("1.5", 1.5, "number"),
    ("yes", True, "true or false"),
    ("a=b", {"a": "b"}, "tags"),
)

MADE = "<!-- Made by docs/make_reference.py; do not edit. -->"

SETTINGS_HEAD = f"""# Settings
{MADE}

Three spellings, one meaning: `LeaseConfig(duration=5.0)` in code, `KCL_LEASES_DURATION=5s` in the
environment, `--set leases.duration=5s` on the command line. In code durations are float seconds and
sizes are bytes; as text write `500ms`, `10s`, `2m`, `1h` and `64MiB`, `500kB`, `1048576`; a bare
number is seconds, or bytes. `none` unsets what may be unset. How the three are combined:
[configure](../how-to/configure.md).

"Java" is the name in the Java KCL; it counts milliseconds where this counts seconds. Asking for a
setting by its Java name is answered with the right one.
"""

SETTINGS_TAIL = f"""
Only in code: `OnError.give_up_on`, the exceptions that no retry can mend; they go straight to
`then`. A variable is named after its setting: `{env_name("on_error.backoff.first")}` is
`on_error.backoff.first`. `KCL_APP_NAME` and `KCL_STREAM` are `--app` and `--stream`."""

CLI_HEAD = f"""# Commands
{MADE}

`kcl`, `kcl-py` and `python -m kcl_py` are the same. Data goes to stdout, talk and logs to stderr.
What the exit codes mean: [exit codes](exit-codes.md).
"""


# ------------------------------------------------------------------------------------ settings


def descriptions(kind: type) -> dict[str, str]:
    """Read the Attributes section of a docstring."""
    lines = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2].splitlines()
    found: dict[str, str] = {}
    name = ""
    for line in lines:
        started = re.match(r"    (\w[\w, ]*): (.*)", line)
        if started:
            name = started[1]
            found[name] = started[2]
        elif line.startswith("     ") and name:
            found[name] += " " + line.strip()
    return found


def kind_of(setting: str) -> str:
    """Find out what a setting is by what it reads."""
    if setting == "initial_position":
        return "`earliest`, `latest` or `2026-11-21T10:00Z`"
    for text, value, word in PROBES:
        try:
            read = parse_setting(setting, text)
        except ConfigError:
            continue
        if read == value and type(read) is type(value):
            return word
    return "text"


def default_of(setting: str) -> str:
    value: Any = WorkerConfig()  # walks down any of the classes
    for part in setting.split("."):
        value = getattr(value, part)
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if value == {}:
        return ""
    kind = kind_of(setting)
    if kind == "duration":
        return f"{value:g}s"
    if kind == "size":
        return f"{value // 1024**2}MiB"
    return f"{value:g}" if isinstance(value, float) else str(value)


def what_it_does(setting: str) -> str:
    owner, _, leaf = setting.rpartition(".")
    text = descriptions(CLASSES[owner])[leaf]
    text = re.sub(r" ?KCL: [^.]*\.", "", text)  # it has a column of its own
    return text.replace("|", "\\|").strip()


def settings_page() -> str:
    parts = [SETTINGS_HEAD]
    for owner, kind in CLASSES.items():
        names = [name for name in known_settings() if name.rpartition(".")[0] == owner]
        parts.append(f"\n## `{kind.__name__}`\n")
        parts.append("| setting | default | as | what | Java |\n|---|---|---|---|---|")
        parts.extend(
            f"| `{name}` | {code(default_of(name))} | {kind_of(name)} | {what_it_does(name)} "
            f"| {code(JAVA.get(name, ''))} |"
            for name in names
        )
    parts.append(SETTINGS_TAIL)
    return "\n".join(parts) + "\n"


# ------------------------------------------------------------------------------------ commands


@dataclass(frozen=True)
class Parameter:
    """One option or argument, as its function declares it."""

    names: tuple[str, ...]
    value: str
    text: str
    variable: str

    @property
    def row(self) -> str:
        spelled = ", ".join(f"`{name}`" for name in self.names)
        value = f" `{self.value}`" if self.value else ""
        variable = f" Variable: `{self.variable}`." if self.variable else ""
        return f"| {escape(spelled + value)} | {escape(self.text)}{variable} |"


def parameters(
    function: Callable[..., object], kind: type[OptionInfo | ArgumentInfo]
) -> dict[str, Parameter]:
    """Options or arguments of a command that are shown."""
    hints = get_type_hints(function, include_extras=True)
    found = {}
    for name in inspect.signature(function).parameters:
        declared, *info = get_args(hints[name])
        shown = [item for item in info if isinstance(item, kind) and not item.hidden]
        if shown:
            found[name] = read_parameter(declared, shown[0])
    return found


def read_parameter(declared: object, info: OptionInfo | ArgumentInfo) -> Parameter:
    # Inside Annotated the first name stands where a default would.
    given = (info.default, *(getattr(info, "param_decls", None) or ()))
    names = tuple(name for name in given if isinstance(name, str))
    value = info.metavar or ""
    if not value and declared is not bool:
        kinds = [kind for kind in (declared, *get_args(declared)) if isinstance(kind, type)]
        choices = [kind for kind in kinds if issubclass(kind, Enum)]
        value = "|".join(item.value for kind in choices for item in kind) or "N"
    return Parameter(names, value, info.help or "", str(info.envvar or ""))


def table_of(options: Iterable[Parameter]) -> list[str]:
    return ["| option | what |", "|---|---|", *(option.row for option in options)]


def commands_page() -> str:
    app = whole_app()
    commands = [(str(item.name), item) for item in app.registered_commands]
    for group in app.registered_groups:
        inside = group.typer_instance.registered_commands if group.typer_instance else []
        commands += [(f"{group.name} {item.name}", item) for item in inside]
    functions = {name: item.callback for name, item in commands}
    options = {name: parameters(f, OptionInfo) for name, f in functions.items() if f}
    every = [set(found) for found in options.values()]
    shared = {key: item for key, item in options["run"].items() if all(key in s for s in every)}
    parts = [CLI_HEAD]
    for name, item in commands:
        if item.callback is not None:
            parts += section(name, item.callback, item.epilog, options[name], shared)
    parts += ["\n## Options of every command\n", *table_of(shared.values())]
    return "\n".join(parts) + "\n"


def section(
    name: str,
    function: Callable[..., object],
    epilog: str | None,
    options: Mapping[str, Parameter],
    shared: Iterable[str],
) -> list[str]:
    """What the page says of one command."""
    arguments = parameters(function, ArgumentInfo)
    usage = " ".join([f"kcl {name} [OPTIONS]", *(item.value for item in arguments.values())])
    parts = [f"\n## `kcl {name}`\n", f"```\n{usage}\n```\n", str(inspect.getdoc(function))]
    own = [item for key, item in options.items() if key not in shared]
    if own:
        parts += ["", *table_of(own)]
    if epilog:
        lines = [line.strip() for line in epilog.splitlines()[2:]]
        parts += ["\n```sh\n" + "\n".join(lines) + "\n```"]
    return parts


def code(text: str) -> str:
    return f"`{text}`" if text else ""


def escape(text: str) -> str:
    return text.replace("|", "\\|")


PAGES = {
    "settings.md": settings_page,
    "cli.md": commands_page,
    "testing.md": lambda: testing_page(MADE),
    "iam.md": lambda: iam_page(MADE),
}


if __name__ == "__main__":
    for page, make in PAGES.items():
        (FOLDER / page).write_text(make(), encoding="utf-8")
        print(f"made {FOLDER.name}/{page}")
    write_policies()
    print("made deploy/iam")
