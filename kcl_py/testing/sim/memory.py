"""How many bytes of records does a simulated process hold? Counted where they really are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from kcl_py.core.consumer.page import Page

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kcl_py.records import Record


PAGE_BYTES_MAX: Final = 10 * 1024 * 1024
"""Source: GetRecords returns at most 10 MiB."""


class Memory:
    """What one process holds.

    Attributes:
        bytes: Of all pages that something still refers to.
    """

    def __init__(self) -> None:
        self.bytes = 0


class CountedPage(Page):
    """A page that counts in a memory from its arrival until nothing refers to it any more."""

    __slots__ = ("_memory",)

    def __init__(self, records: Sequence[Record], size: int) -> None:
        super().__init__(records, size)
        object.__setattr__(self, "_memory", None)

    def arrive(self, memory: Memory) -> None:
        """Count from now on."""
        object.__setattr__(self, "_memory", memory)
        memory.bytes += self.bytes

    def __del__(self) -> None:
        """Count no more."""
        memory: Memory | None = getattr(self, "_memory", None)
        if memory is not None:
            memory.bytes -= self.bytes
