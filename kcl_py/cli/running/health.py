"""`kcl health`: is the worker of this machine or container alive?

`__main__` answers before anything is imported; this is for help, and for flags of every command.
"""

from __future__ import annotations

import json
import sys
from typing import Annotated

import typer

from kcl_py.cli.options import Output, Shared


def health(
    shared: Shared,
    *,
    file: Annotated[
        str | None,
        typer.Option(
            "--file",
            metavar="PATH",
            envvar="KCL_HEALTH_FILE",
            help="The worker's heartbeat file, its health.file.",
        ),
    ] = None,
    port: Annotated[
        str | None,
        typer.Option(
            "--port",
            metavar="N",
            envvar="KCL_HEALTH_PORT",
            help="Where the worker listens, its health.port; asked if there is no file.",
        ),
    ] = None,
    ready: Annotated[
        bool, typer.Option("--ready", help="Is it ready, not only alive? Not while it drains.")
    ] = False,
) -> int:
    """Say whether the worker of this machine is alive: exit code 0 or 1, and why.

    A worker that is far behind, or that AWS throttles, is alive: starting it again would not help.
    """
    from kcl_py._environment import process_environment
    from kcl_py.health.probe import check

    host = process_environment().get("KCL_HEALTH_HOST")
    is_well, why = check(file=file, port=port, host=host, wants_ready=ready)
    if shared.form is Output.TABLE:
        sys.stdout.write(f"{why}\n")
    else:
        sys.stdout.write(json.dumps({"well": is_well, "why": why}) + "\n")
    return 0 if is_well else 1
