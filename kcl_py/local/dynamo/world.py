"""Which table does a request mean, what time is it, and how stale may a read be?"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kcl_py.local.dynamo.capacity import Units
from kcl_py.local.dynamo.tables import Table, table_arn
from kcl_py.local.errors import AwsError
from kcl_py.local.parameters import required_text

Request = Mapping[str, Any]
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamoSettings:
    """How the model behaves where the real service leaves room.

    Attributes:
        create_seconds: How long a new table stays CREATING.
        delete_seconds: How long a deleted table stays DELETING.
    """

    create_seconds: float = 0.05
    delete_seconds: float = 0.05


class World:
    """Everything the operations share.

    Attributes:
        stale: Asked at every read that need not be consistent: how many seconds old its answer is.
        index_lag: Asked at every write: after how many seconds the indexes learn of it.
        leave_unprocessed: Asked for every part of a batch: True leaves it undone.
        read_units: Taken so far, by table. Failed requests take units too.
        write_units: Likewise.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        rng: random.Random,
        settings: DynamoSettings,
        stale: Callable[[], float] | None,
    ) -> None:
        self.clock = clock
        self.rng = rng
        self.settings = settings
        self.stale = stale
        self.index_lag: Callable[[], float] | None = None
        self.leave_unprocessed: Callable[[], bool] | None = None
        self.tables: dict[str, Table] = {}
        self.read_units: dict[str, float] = {}
        self.write_units: dict[str, float] = {}
        self.done_transactions: dict[str, tuple[float, Answer]] = {}

    def find(self, request: Request) -> Table:
        """The table named by TableName, in whatever state."""
        name = required_text(request, "TableName")
        name = name.rpartition("/")[2] if name == table_arn(name.rpartition("/")[2]) else name
        table = self.tables.get(name)
        if table is not None and table.deleted_at is not None:
            self._forget_if_deleted(table)
            table = self.tables.get(name)
        if table is None:
            raise _not_found(f"table {name} does not exist")
        return table

    def usable(self, request: Request) -> Table:
        """The table, if items can be read and written."""
        table = self.find(request)
        if table.deleted_at is not None or self.clock() < table.ready_at:
            raise _not_found(f"table {table.name} is {table.status(self.clock())}")
        return table

    def changeable(self, request: Request) -> Table:
        """The table, if it is ACTIVE."""
        table = self.find(request)
        status = table.status(self.clock())
        if status != "ACTIVE":
            raise AwsError("ResourceInUseException", f"table {table.name} is {status}")
        return table

    def settle(self) -> None:
        """Forget the tables whose deletion is done."""
        for table in list(self.tables.values()):
            self._forget_if_deleted(table)

    def read_time(self, *, consistent: bool) -> float | None:
        """As of when a read is answered; None means now."""
        if consistent or self.stale is None:
            return None
        age = self.stale()
        return self.clock() - age if age > 0 else None

    def index_due(self, now: float) -> float:
        """When the indexes learn of a write done now."""
        return now if self.index_lag is None else now + self.index_lag()

    def count_read(self, table: Table, units: Units) -> None:
        """Add to what was taken so far."""
        self.read_units[table.name] = self.read_units.get(table.name, 0.0) + units.total()

    def count_write(self, table: Table, units: Units) -> None:
        """Add to what was taken so far."""
        self.write_units[table.name] = self.write_units.get(table.name, 0.0) + units.total()

    def _forget_if_deleted(self, table: Table) -> None:
        if table.deleted_at is not None and self.clock() >= table.deleted_at:
            del self.tables[table.name]


def _not_found(message: str) -> AwsError:
    return AwsError("ResourceNotFoundException", message)
