"""How are many records put at less cost for each? By the page: one lock, one look at the clock.

A page that ends early tells why: the record after it is too large to be taken unasked, or cannot be
made. So whoever puts goes on or stops as if each record had been put by itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from kcl_py.core.puts import KEY_CHARACTERS_MAX
from kcl_py.errors import BufferFull, RecordRefused
from kcl_py.producer.core.units import Item
from kcl_py.producer.opening import Opened, fill

if TYPE_CHECKING:
    from kcl_py.producer.results import Payload

PAGE_RECORDS: Final = 500

Pair: TypeAlias = "tuple[Payload, str | None]"
"""Data and key of a record."""

Kind = TypeVar("Kind", bound=Item)


class Page(Generic[Kind]):
    """Records to be put together.

    Attributes:
        items: They, in order.
        large: The record after them, if it may be too large for the stream.
        error: What was raised in the place of the record after them.
        is_last: There are no more.
    """

    def __init__(self, kind: type[Kind], opened: Opened, records: Iterator[Pair]) -> None:
        self.items: list[Kind] = []
        self.large: Kind | None = None
        self.error: Exception | None = None
        self.is_last = False
        try:
            self._fill(kind, opened, records)
        except Exception as error:  # noqa: BLE001 - raised again once those before it are queued
            self.error = error

    def _fill(self, kind: type[Kind], opened: Opened, records: Iterator[Pair]) -> None:
        items, engine, size_free = self.items, opened.engine, opened.size_free
        for data, key in islice(records, PAGE_RECORDS):
            # What most records are is seen at once; `fill` knows all of it.
            if (
                type(data) is bytes
                and type(key) is str
                and 0 < len(key) <= KEY_CHARACTERS_MAX
                and key.isascii()
            ):
                item = kind(data, key, None, len(data) + len(key), engine)
            else:
                item = fill(kind, opened, data, key, None)
            if item.size > size_free:
                self.large = item
                return
            items.append(item)
        self.is_last = len(items) < PAGE_RECORDS

    def all(self) -> list[Kind]:
        """What may be put of it."""
        return self.items if self.large is None else [*self.items, self.large]


def put_many(kind: type[Kind], opened: Opened, records: Iterable[Pair]) -> list[Kind]:
    """Put them, waiting for room.

    Raises:
        Exception: What `put` or `records` raises for one of them; see `tell_index`.
    """
    engine, source = opened.engine, iter(records)
    done: list[Kind] = []
    while True:
        page = Page(kind, opened, source)
        try:
            left = page.items
            while left:
                count = engine.put_first(left)
                done += left[:count]
                left = left[count:]
                if left:
                    engine.put_waiting(left[0])
                    done.append(left.pop(0))
            if page.error is not None:
                raise page.error  # noqa: TRY301 - told as what the queue raises
            if page.large is not None:
                opened.check_size(page.large.size)
                engine.put_waiting(page.large)
                done.append(page.large)
        except Exception as error:
            tell_index(error, len(done))
            raise
        if page.is_last:
            return done


def tell_index(error: Exception, index: int) -> None:
    """Let an exception say which record it is about."""
    text = f"record {index} of put_many; all before it are queued, none after it"
    if isinstance(error, RecordRefused | BufferFull):
        error.args = (f"{error} ({text})",)
        error.index = index
    else:
        error.add_note(text)
