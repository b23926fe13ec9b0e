"""Which commands are there, and how does one of them begin?"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import typer

from kcl_py.cli import demo, leases, local, run
from kcl_py.cli.errors import ExitCode, guarded
from kcl_py.cli.options import with_shared

app = typer.Typer(
    name="kcl",
    help="Consume Kinesis streams with a fleet of Python workers.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("run")(with_shared(run.run))
app.command("leases")(with_shared(leases.leases))
app.command("demo")(with_shared(demo.demo))
app.command("local", context_settings={"ignore_unknown_options": False})(with_shared(local.local))


@app.callback(invoke_without_command=True)
def _top(
    context: typer.Context,
    *,
    version: bool = typer.Option(False, "--version", help="Print the version."),  # noqa: FBT003
) -> int:
    if version:
        from kcl_py import __version__

        sys.stdout.write(f"kcl_py {__version__}\n")
        raise typer.Exit(ExitCode.OK)
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
    command = typer.main.get_command(app)
    return guarded(lambda: command.main(args=given, prog_name="kcl", standalone_mode=False), given)
