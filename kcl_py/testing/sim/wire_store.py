"""What is in the simulated lease table? The engine's DynamoDB, asked and answered as on AWS."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from kcl_py.aws import attributes as wire
from kcl_py.aws.lease_codec import (
    decode_row,
    encode_write,
    get_request,
    owned_request,
    read_request,
    scan_request,
)
from kcl_py.core.events import Applied, Refused
from kcl_py.local.dynamo import Dynamo, DynamoSettings
from kcl_py.local.errors import AwsError
from kcl_py.testing.sim.store import TableMissingError

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from kcl_py.aws.attributes import Item
    from kcl_py.core.leases.rows import Row
    from kcl_py.core.leases.writes import RowWrite
    from kcl_py.local.dynamo.tables import Table

TABLE_NAME: Final = "people-app"


class WireStore:
    """The table, applying one request at a time; everything goes through the codec of `aws/`."""

    def __init__(
        self,
        wall: Callable[[], float],
        rng: random.Random,
        *,
        stale: Callable[[], float],
        index_lag: Callable[[], float],
    ) -> None:
        """Make a table.

        Args:
            wall: Unix seconds.
            rng: Makes table ids.
            stale: Asked at every scan that need not be consistent: how many seconds old it is.
            index_lag: Asked at every write: after how many seconds the index learns of it.
        """
        self._wall = wall
        instant = DynamoSettings(create_seconds=0.0, delete_seconds=0.0)
        self._model = Dynamo(wall, rng, instant, stale=stale)
        self._model.world.index_lag = index_lag
        self._decoded: dict[str, tuple[Item, Row]] = {}
        self.create()

    def create(self) -> None:
        """Make the table, empty, with a new id."""
        owner_keys = [
            {"AttributeName": wire.OWNER, "KeyType": "HASH"},
            {"AttributeName": wire.KEY, "KeyType": "RANGE"},
        ]
        index = {
            "IndexName": wire.INDEX,
            "KeySchema": owner_keys,
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
        self._model.call(
            "CreateTable",
            {
                "TableName": TABLE_NAME,
                "KeySchema": [{"AttributeName": wire.KEY, "KeyType": "HASH"}],
                "AttributeDefinitions": [
                    {"AttributeName": wire.KEY, "AttributeType": "S"},
                    {"AttributeName": wire.OWNER, "AttributeType": "S"},
                ],
                "BillingMode": "PAY_PER_REQUEST",
                "GlobalSecondaryIndexes": [index],
            },
        )

    def drop(self) -> None:
        """Delete the table."""
        self._model.call("DeleteTable", {"TableName": TABLE_NAME})

    def table_id(self) -> str | None:
        """Return the id of the table; None: there is none."""
        try:
            return str(self._call("DescribeTable", {"TableName": TABLE_NAME})["Table"]["TableId"])
        except TableMissingError:
            return None

    def write(self, write: RowWrite) -> Applied | Refused:
        """Apply a write if its condition holds.

        Raises:
            TableMissingError: There is no table.
            AwsError: The model refuses the request as it is: a bug.
        """
        request = encode_write(write, table_name=TABLE_NAME, wall=self._wall())
        try:
            answer = self._call(request.operation, request.parameters)
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            item = error.extra.get("Item")
            return Refused(None if item is None else self._decode(item))  # type: ignore[arg-type] # wire data
        return Applied(None if write.deletes else self._decode(answer["Attributes"]))

    def look(self, key: str) -> Row | None:
        """Return one row as it is now, without asking the service; None: there is no such row."""
        table = self._table()
        if table is None:
            return None
        row = table.store.rows.get(table.schema.place_of_key({wire.KEY: {"S": key}}))
        return None if row is None else self._decode(row.item)

    def look_at_all(self) -> list[Row]:
        """Return all rows as they are now, without asking the service; empty without a table."""
        table = self._table()
        if table is None:
            return []
        return [self._decode(table.store.rows[place].item) for place in table.store.places]

    def _table(self) -> Table | None:
        table = self._model.world.tables.get(TABLE_NAME)
        return None if table is None or table.deleted_at is not None else table

    def read(self, key: str) -> Row | None:
        """Return one row as it is now.

        Raises:
            TableMissingError: There is no table.
        """
        item = self._call("GetItem", get_request(TABLE_NAME, key)).get("Item")
        return None if item is None else self._decode(item)

    def read_many(self, keys: Sequence[str]) -> tuple[Row, ...]:
        """Return the rows that there are.

        Raises:
            TableMissingError: There is no table.
        """
        answer = self._call("BatchGetItem", read_request(TABLE_NAME, list(dict.fromkeys(keys))))
        return tuple(self._decode(item) for item in answer["Responses"].get(TABLE_NAME, ()))

    def scan_page(
        self, start: Item | None, limit: int, *, consistent: bool
    ) -> tuple[tuple[Row, ...], Item | None]:
        """Return some rows, and where the next page begins (None: that was the last).

        Raises:
            TableMissingError: There is no table.
        """
        request = scan_request(TABLE_NAME, consistent=consistent, start=start) | {"Limit": limit}
        answer = self._call("Scan", request)
        return tuple(self._decode(item) for item in answer["Items"]), answer.get("LastEvaluatedKey")

    def owned_by(self, owner: str) -> tuple[str, ...]:
        """Return the keys of the lease rows that the index shows for this owner.

        Raises:
            TableMissingError: There is no table.
        """
        answer = self._call("Query", owned_request(TABLE_NAME, owner, start=None))
        return tuple(item[wire.KEY]["S"] for item in answer["Items"])

    def save(self) -> dict[str, Any]:
        """Return everything that is in the table, as a backup has it."""
        return self._model.dump()

    def restore(self, saved: dict[str, Any], *, table_id: str | None = None) -> None:
        """Put a backup in the place of the table; None: with the id that it had."""
        (table,) = saved["tables"]
        self._model.load({"tables": [table | {"table_id": table_id or table["table_id"]}]})

    def _decode(self, item: Item) -> Row:
        """Read an item; most are read again and again before they change."""
        key = str(item[wire.KEY]["S"])
        known = self._decoded.get(key)
        if known is None or (known[0] is not item and known[0] != item):
            known = self._decoded[key] = (item, decode_row(item))
        return known[1]

    def _call(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._model.call(operation, request)
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                raise TableMissingError from error
            raise
