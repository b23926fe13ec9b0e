"""Where does a command get the rows of the lease table from?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from kcl_py.cli.looking.table_view import TableView
from kcl_py.cli.options import Shared
from kcl_py.shell.clock import SYSTEM_CLOCK

Scan: TypeAlias = Callable[[TableView], None]
"""Reads the whole table once and shows it to a view."""


def open_table(shared: Shared) -> Scan:
    """Find the lease table of the application that the flags name.

    Raises:
        KclError: It is missing, or no lease table, or cannot be read.
    """
    from kcl_py.aws import tools

    config = shared.worker_config()
    name = config.table.name or shared.needed_app()
    client = tools.make_client(
        "dynamodb",
        session=tools.make_session(shared.profile),
        region=config.region,
        endpoint_url=config.dynamodb_endpoint_url,
    )
    tools.check_lease_table(client, name)
    return scanner(client, name)


def scanner(client: Any, name: str) -> Scan:  # noqa: ANN401 - a client of boto3
    """Read a table with this client."""
    from kcl_py.aws import tools

    def scan(view: TableView) -> None:
        rows = tools.scan_rows(client, name)
        view.look(SYSTEM_CLOCK.now(), rows)

    return scan
