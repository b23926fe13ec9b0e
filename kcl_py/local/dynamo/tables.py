"""What is a table: its key, its items, its indexes and its settings?"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from kcl_py.local.dynamo.capacity import Units
from kcl_py.local.dynamo.indexes import Index, key_schema
from kcl_py.local.dynamo.keys import KeySchema, Place
from kcl_py.local.dynamo.store import Row, Store

ACCOUNT = "000000000000"
REGION = "us-east-1"


def table_arn(name: str) -> str:
    """The ARN of a table of this engine."""
    return f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"


@dataclass(slots=True, kw_only=True)
class Settings:
    """What can be set on a table besides its schema."""

    billing_mode: str = "PROVISIONED"
    throughput: dict[str, int] = field(default_factory=dict)
    deletion_protection: bool = False
    point_in_time_recovery: bool = False
    time_to_live: str | None = None
    sse: bool = False
    tags: dict[str, str] = field(default_factory=dict)


class Table:
    """A table with its items. Its status follows from the time."""

    def __init__(
        self,
        name: str,
        table_id: str,
        schema: KeySchema,
        *,
        made_at: float,
        ready_at: float,
        keeps_history: bool = False,
    ) -> None:
        self.name = name
        self.table_id = table_id
        self.schema = schema
        self.made_at = made_at
        self.ready_at = ready_at
        self.deleted_at: float | None = None
        self.settings = Settings()
        self.indexes: dict[str, Index] = {}
        self.store: Store[Row] = Store(keeps_history=keeps_history)

    def status(self, now: float) -> str:
        """CREATING, ACTIVE or DELETING."""
        if self.deleted_at is not None:
            return "DELETING"
        return "CREATING" if now < self.ready_at else "ACTIVE"

    def write(self, place: Place, row: Row | None, now: float, index_due: float) -> Units:
        """Put a row, or None to delete; the indexes learn of it at `index_due`.

        Returns:
            The units of the indexes only.
        """
        units = Units()
        old = self.store.rows.get(place)
        self.store.put(place, row, now)
        for index in self.indexes.values():
            cost = index.learn(place, old, row, index_due)
            if cost:
                units.indexes[index.name] = cost
        return units

    def describe(self, now: float) -> dict[str, Any]:
        """As DescribeTable shows it."""
        settings = self.settings
        status = self.status(now)
        answer: dict[str, Any] = {
            "TableName": self.name,
            "TableArn": table_arn(self.name),
            "TableId": self.table_id,
            "TableStatus": status,
            "CreationDateTime": self.made_at,
            "KeySchema": key_schema(self.schema),
            "AttributeDefinitions": self._attribute_definitions(),
            "ItemCount": len(self.store),
            "TableSizeBytes": sum(row.size for row in self.store.rows.values()),
            "DeletionProtectionEnabled": settings.deletion_protection,
            "ProvisionedThroughput": {
                "ReadCapacityUnits": settings.throughput.get("ReadCapacityUnits", 0),
                "WriteCapacityUnits": settings.throughput.get("WriteCapacityUnits", 0),
                "NumberOfDecreasesToday": 0,
            },
        }
        if settings.billing_mode == "PAY_PER_REQUEST":
            answer["BillingModeSummary"] = {"BillingMode": settings.billing_mode}
        if settings.sse:
            answer["SSEDescription"] = {"Status": "ENABLED", "SSEType": "KMS"}
        if self.indexes:
            answer["GlobalSecondaryIndexes"] = [
                index.describe(status) | {"IndexArn": f"{table_arn(self.name)}/index/{name}"}
                for name, index in self.indexes.items()
            ]
        return answer

    def _attribute_definitions(self) -> list[dict[str, str]]:
        kinds: dict[str, str] = {}
        for schema in (self.schema, *(index.schema for index in self.indexes.values())):
            kinds[schema.partition] = schema.partition_kind
            if schema.sort is not None and schema.sort_kind is not None:
                kinds[schema.sort] = schema.sort_kind
        return [
            {"AttributeName": name, "AttributeType": kind} for name, kind in sorted(kinds.items())
        ]
