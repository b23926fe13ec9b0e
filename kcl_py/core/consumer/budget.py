"""May this shard read one more page? One budget of bytes for all shards, fairly shared.

A read reserves what a page may have at worst; when it arrives it counts what it has. Shards that
have nothing to deliver come first, and reading ahead may fill only half, so that slow shards with
full buffers do not stop a fast one. Within each kind it is first come, first served.
"""

from __future__ import annotations

from typing import Final

PAGE_BYTES_MAX: Final = 10 * 1024 * 1024
"""Source: GetRecords returns at most 10 MiB."""


class Budget:
    """Bytes that are buffered or on their way.

    Args:
        limit: Most of both together; one page is always allowed when there is nothing at all.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffered = 0
        self._under_way = 0
        self._waiting: dict[bool, dict[str, None]] = {False: {}, True: {}}
        self._turn: str | None = None

    @property
    def buffered_bytes(self) -> int:
        """Bytes of pages that have arrived and are not processed."""
        return self._buffered

    @property
    def claimed_bytes(self) -> int:
        """Buffered and reserved bytes."""
        return self._buffered + self._under_way * PAGE_BYTES_MAX

    def reserve(self, key: str, *, ahead: bool) -> bool:
        """Reserve a page for a shard, or put it in line and say False.

        A busy shard wants to read again as soon as its page is processed, and would always be there
        before those in line are told: they come first.

        Args:
            ahead: The shard has something to deliver already.
        """
        self._waiting[not ahead].pop(key, None)
        is_next = key == self._turn or not self._has_line(key, ahead=ahead)
        if not is_next or not self._fits(ahead=ahead):
            self._waiting[ahead].setdefault(key)
            return False
        self._waiting[ahead].pop(key, None)
        self._turn = None
        self._under_way += 1
        return True

    def arrived(self, page_bytes: int) -> None:
        """A reserved read is over and brought so many bytes; 0 for none."""
        assert self._under_way > 0, "a read that was never reserved"
        self._under_way -= 1
        self._buffered += page_bytes

    def release(self, page_bytes: int) -> None:
        """A page was processed or dropped."""
        assert page_bytes <= self._buffered, "more is released than is there"
        self._buffered -= page_bytes

    def forget(self, key: str) -> None:
        """The shard does not want to read any more."""
        for line in self._waiting.values():
            line.pop(key, None)

    def next_in_line(self) -> str | None:
        """Take a shard out of the line that may reserve now, if there is one: it is its turn."""
        self._turn = None
        for ahead, line in self._waiting.items():
            if line and self._fits(ahead=ahead):
                key = next(iter(line))
                del line[key]
                self._turn = key
                return key
        return None

    def _has_line(self, key: str, *, ahead: bool) -> bool:
        """Say whether somebody came before this shard and is served before it."""
        lines = self._waiting.values() if ahead else (self._waiting[False],)
        return any(next(iter(line), key) != key for line in lines)

    def _fits(self, *, ahead: bool) -> bool:
        if self._buffered == 0 and self._under_way == 0:
            return True
        limit = self._limit // 2 if ahead else self._limit
        return self.claimed_bytes + PAGE_BYTES_MAX <= limit
