"""What does the lease table say? Read beside the workers."""

from __future__ import annotations

import time
from collections.abc import Sequence

from kcl_py.aws.lease_table import LeaseTable
from kcl_py.aws.table_setup import create_request
from kcl_py.config import TableConfig
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.local import Engine


def create_lease_table(engine: Engine, name: str) -> None:
    """Create it as a worker would, and wait."""
    client = engine.session().client("dynamodb")
    client.create_table(**create_request(name, TableConfig()))
    while client.describe_table(TableName=name)["Table"]["TableStatus"] != "ACTIVE":
        time.sleep(0.02)


def lease_rows(engine: Engine, table_name: str) -> Sequence[LeaseRow]:
    """Return all lease rows, by key."""
    client = engine.session().client("dynamodb")
    table = LeaseTable(writes=client, reads=client, name=table_name)
    rows: list[LeaseRow] = []
    for page in table.scan(consistent=True):
        assert isinstance(page, tuple), page
        rows += [row for row in page if isinstance(row, LeaseRow)]
    return sorted(rows, key=lambda row: row.key)
