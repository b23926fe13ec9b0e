"""How does a command begin?"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final

import typer

from kcl_py.cli.catalogue import COMMANDS, EXAMPLES, GROUPS
from kcl_py.cli.commands import with_shared
from kcl_py.cli.entries import Entry, Group, epilog_of
from kcl_py.cli.errors import ExitCode, guarded

_SETTINGS: Final[Mapping[str, Any]] = {
    "rich_markup_mode": None,
    "context_settings": {"help_option_names": ["-h", "--help"], "max_content_width": 120},
}

_COMPLETING: Final = "_KCL_COMPLETE"
"""Set by a shell that asks what could follow; see `kcl_py.cli.completion.completing`."""


def make_app(wanted: Collection[str]) -> typer.Typer:
    """The command line, with these commands in full and all others by name and summary."""
    app = typer.Typer(
        name="kcl",
        help="Consume Kinesis streams with a fleet of Python workers.",
        pretty_exceptions_enable=False,
        add_completion=False,  # there is `kcl completion`
        **_SETTINGS,
    )
    app.callback(invoke_without_command=True, epilog=epilog_of(EXAMPLES))(_top)
    _add(app, COMMANDS, wanted)
    for name, group in GROUPS.items():
        app.add_typer(_make_group(group, name, wanted), name=name, help=group.summary)
    return app


def whole_app() -> typer.Typer:
    """With every command in full, for the reference."""
    inside = [name for group in GROUPS.values() for name in group.commands]
    return make_app({*COMMANDS, *GROUPS, *inside})


def _make_group(group: Group, name: str, wanted: Collection[str]) -> typer.Typer:
    alone = group.alone
    epilog = epilog_of(group.examples) if alone is None else alone.epilog
    made = typer.Typer(**_SETTINGS, epilog=epilog)
    is_wanted = alone is not None and name in wanted
    function = with_shared(alone.load()) if alone is not None and is_wanted else _group
    made.callback(invoke_without_command=True)(function)
    if name in wanted:
        _add(made, group.commands, wanted)
    return made


def _command(wanted: Collection[str]) -> Any:  # noqa: ANN401 - of click, whose home differs by version
    return typer.main.get_command(make_app(wanted))


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
    if _COMPLETING in os.environ:
        from kcl_py.cli.completion import completing

        if arguments is None:
            completing.leave_terminal()
        return completing.answer(_command, os.environ)
    given = list(sys.argv[1:] if arguments is None else arguments)
    # Whatever stands before them, such as -- or a flag at a wrong place, is refused later.
    command = _command([word for word in given if not word.startswith("-")][:2])
    return guarded(lambda: command.main(args=given, prog_name="kcl", standalone_mode=False), given)
