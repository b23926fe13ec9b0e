"""What does the lease table say? Read beside the workers."""

from __future__ import annotations

from collections.abc import Sequence

from kcl_py.aws.lease_table import LeaseTable
from kcl_py.core.leases.rows import LeaseRow
from kcl_py.local import Engine


def lease_rows(engine: Engine, table_name: str) -> Sequence[LeaseRow]:
    """Return all lease rows, by key."""
    client = engine.session().client("dynamodb")
    table = LeaseTable(writes=client, reads=client, name=table_name)
    rows: list[LeaseRow] = []
    for page in table.scan(consistent=True):
        assert isinstance(page, tuple), page
        rows += [row for row in page if isinstance(row, LeaseRow)]
    return sorted(rows, key=lambda row: row.key)
