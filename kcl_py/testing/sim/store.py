"""What must a simulated lease table be able to do? Two of them can, and behave alike."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

    from kcl_py.core.events import Applied, Refused
    from kcl_py.core.leases.rows import Row
    from kcl_py.core.leases.writes import RowWrite


class TableMissingError(Exception):
    """There is no table at the moment."""


class TableStore(Protocol):
    """The rows of the table, applying one request at a time.

    Requests to a table that is not there raise `TableMissingError`.
    """

    def create(self) -> None:
        """Make the table, empty, with a new id."""

    def drop(self) -> None:
        """Delete the table."""

    def table_id(self) -> str | None:
        """Return the id of the table; None: there is none."""

    def write(self, write: RowWrite) -> Applied | Refused:
        """Apply a write if its condition holds."""

    def look(self, key: str) -> Row | None:
        """Return one row as it is now, without asking the service; None: there is no such row."""

    def look_at_all(self) -> list[Row]:
        """Return all rows as they are now, without asking the service; empty without a table."""

    def read(self, key: str) -> Row | None:
        """Return one row as it is now."""

    def read_many(self, keys: Sequence[str]) -> tuple[Row, ...]:
        """Return the rows that there are."""

    def scan_page(
        self,
        start: Any,  # noqa: ANN401 - only the store that gave it out reads it
        limit: int,
        *,
        consistent: bool,
    ) -> tuple[tuple[Row, ...], Any]:
        """Return some rows, and where the next page begins (None: that was the last)."""

    def owned_by(self, owner: str) -> tuple[str, ...]:
        """Return the keys of the lease rows that the index shows for this owner."""

    def save(self) -> Any:  # noqa: ANN401 - likewise
        """Return everything that is in the table, as a backup has it."""

    def restore(self, saved: Any, *, table_id: str | None = None) -> None:  # noqa: ANN401 - likewise
        """Put a backup in the place of the table; None: with the id that it had."""


class MakeStore(Protocol):
    """How to make one."""

    def __call__(
        self,
        wall: Callable[[], float],
        rng: random.Random,
        *,
        stale: Callable[[], float],
        index_lag: Callable[[], float],
    ) -> TableStore:
        """Make a table.

        Args:
            wall: Unix seconds.
            rng: Makes table ids.
            stale: Asked at every page of a scan that need not be consistent: how many seconds old
                it is.
            index_lag: Asked at every write: after how many seconds the index learns of it.
        """
