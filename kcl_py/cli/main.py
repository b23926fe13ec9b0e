"""How does a command begin?"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import typer

from kcl_py.cli.catalogue import COMMANDS, GROUPS, Entry
from kcl_py.cli.errors import ExitCode, guarded
from kcl_py.cli.options import with_shared

_SETTINGS: Final[Mapping[str, Any]] = {
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["-h", "--help"]},
}

_COMPLETING: Final = "_KCL_COMPLETE"
"""Set by a shell that asks what could follow."""


def make_app(wanted: Collection[str]) -> typer.Typer:
    """The command line, with these commands in full and all others by name and summary."""
    app = typer.Typer(
        name="kcl",
        help="Consume Kinesis streams with a fleet of Python workers.",
        pretty_exceptions_enable=False,
        **_SETTINGS,
    )
    app.callback(invoke_without_command=True)(_top)
    _add(app, COMMANDS, wanted)
    for name, (summary, entries) in GROUPS.items():
        group = typer.Typer(**_SETTINGS)
        group.callback(invoke_without_command=True)(_group)
        if name in wanted:
            _add(group, entries, wanted)
        app.add_typer(group, name=name, help=summary)
    return app


def whole_app() -> typer.Typer:
    """With every command in full, for the reference and for shells that complete."""
    inside = (name for _, entries in GROUPS.values() for name in entries)
    return make_app({*COMMANDS, *GROUPS, *inside})


def _add(app: typer.Typer, entries: Mapping[str, Entry], wanted: Collection[str]) -> None:
    for name, entry in entries.items():
        if name in wanted:
            function = with_shared(entry.load())
            app.command(name, epilog=entry.epilog)(function)
        else:
            app.command(name, help=entry.summary)(_not_asked_for)


def _not_asked_for() -> int:
    raise AssertionError("a command that was typed is there in full")


def _top(
    context: typer.Context,
    *,
    version: bool = typer.Option(False, "--version", help="Print the version."),  # noqa: FBT003
) -> int:
    if version:
        from kcl_py import __version__

        sys.stdout.write(f"kcl_py {__version__}\n")
        raise typer.Exit(ExitCode.OK)
    return _group(context)


def _group(context: typer.Context) -> int:
    if context.invoked_subcommand is None:
        sys.stderr.write(context.get_help() + "\n")
        raise typer.Exit(ExitCode.USAGE)
    return ExitCode.OK


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: None: those of this process.

    Returns:
        The exit code.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    app = whole_app() if _COMPLETING in os.environ else make_app(set(given[:2]))
    command = typer.main.get_command(app)
    return guarded(lambda: command.main(args=given, prog_name="kcl", standalone_mode=False), given)
