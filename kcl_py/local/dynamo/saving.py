"""How are tables turned into plain data and back?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from kcl_py.local.dynamo.indexes import Index
from kcl_py.local.dynamo.keys import KeySchema
from kcl_py.local.dynamo.store import Row
from kcl_py.local.dynamo.tables import Settings, Table
from kcl_py.local.dynamo.values import item_size
from kcl_py.local.dynamo.world import World


def dump_world(world: World) -> dict[str, Any]:
    """Every table that is not being deleted."""
    return {
        "tables": [
            {
                "name": table.name,
                "table_id": table.table_id,
                "made_at": table.made_at,
                "schema": table.schema,
                "settings": asdict(table.settings),
                "indexes": [
                    {"name": index.name, "schema": index.schema, "projection": index.projection}
                    for index in table.indexes.values()
                ],
                "items": [table.store.rows[place].item for place in table.store.places],
            }
            for table in world.tables.values()
            if table.deleted_at is None
        ]
    }


def load_world(world: World, saved: dict[str, Any]) -> None:
    """Replace all tables by the saved ones."""
    world.tables.clear()
    for row in saved["tables"]:
        schema = KeySchema(*row["schema"])
        table = Table(
            row["name"],
            row["table_id"],
            schema,
            made_at=row["made_at"],
            ready_at=row["made_at"],
            keeps_history=world.stale is not None,
        )
        table.settings = Settings(**row["settings"])
        for index in row["indexes"]:
            index_schema = KeySchema(*index["schema"])
            made = Index(index["name"], index_schema, schema, index["projection"])
            table.indexes[made.name] = made
        for item in row["items"]:
            place = schema.place(item)
            table.write(place, Row(item, item_size(item)), table.made_at, table.made_at)
        world.tables[table.name] = table
