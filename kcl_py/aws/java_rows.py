"""What does a row of the Java KCL tell of its application? In the middle of which migration is it?

Source: `MigrationState`, `TableMigrationState` and `CoordinatorState` of the Java KCL 3.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kcl_py.aws.attributes import ItemReader

LEGACY_TABLE_SUFFIX: Final = "-CoordinatorState"
"""Of the table in which the Java KCL 3.0 to 3.4 keeps its leader and its migration."""

_CLIENT_VERSIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CLIENT_VERSION_INIT": "an upgrade from 2.x to 3.x begins",
        "CLIENT_VERSION_UPGRADE_FROM_2X": "in the middle of an upgrade from 2.x to 3.x",
        "CLIENT_VERSION_2X": "rolled back from 3.x to 2.x",
        "CLIENT_VERSION_3X_WITH_ROLLBACK": "upgraded to 3.x, may still be rolled back",
        "CLIENT_VERSION_3X": "version 3.x",
    }
)
_TABLE_MIGRATIONS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "TABLE_MIGRATION_STATUS_INIT": "a migration to one table begins",
        "TABLE_MIGRATION_STATUS_DEPLOYED": "a migration to one table is prepared",
        "TABLE_MIGRATION_STATUS_PENDING": "in the middle of a migration to one table",
        "TABLE_MIGRATION_STATUS_COMPLETE": "migrated to one table",
    }
)


def why_java(reader: ItemReader) -> str:
    """Say what a row of the Java KCL is, with the state of a migration if it tells one."""
    for attribute, states in (("cv", _CLIENT_VERSIONS), ("tm", _TABLE_MIGRATIONS)):
        value = reader.item.get(attribute)
        text = value.get("S") if isinstance(value, Mapping) else None
        if isinstance(text, str):
            return f"a row of the Java KCL, {states.get(text, 'in a state that is not known here')}"
    return "a row of the Java KCL"
