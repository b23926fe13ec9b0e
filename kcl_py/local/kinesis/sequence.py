"""How is a place in a shard written as a sequence number?

From the top: a version digit, the second in which the shard was made, the shard's last hex digit,
a counter, the second of arrival, the shard's index, the version again. The leading version makes
every number 56 digits long, so that text and number order agree; the shard's second comes before
the counter, so that a child, always made in a later second than its parents, starts above them.
"""

from __future__ import annotations

_VERSION = 2
_COUNTER_MASK = (1 << 64) - 1
_SECOND_MASK = (1 << 36) - 1

FIRST_COUNTER = 1
"""Of a shard's first record; 0 is the shard's start itself."""
LAST_COUNTER = (1 << 63) - 1
"""Of a closed shard's end."""


class Numbering:
    """Writes and reads the sequence numbers of one shard."""

    __slots__ = ("_head", "_tail")

    def __init__(self, shard_index: int, made_second: int) -> None:
        second = made_second & _SECOND_MASK
        self._head = (_VERSION << 184 | second << 148 | (shard_index & 15) << 144) >> 144
        self._tail = shard_index << 4 | _VERSION

    def write(self, counter: int, second: int) -> str:
        """The number of the record with this counter, arrived in this second."""
        arrival = (second & _SECOND_MASK) << 36
        return str(self._head << 144 | counter << 80 | arrival | self._tail)

    def counter(self, number: int) -> int | None:
        """The counter inside a number, or None when the number is of another shard."""
        if number >> 144 != self._head or number & ((1 << 36) - 1) != self._tail:
            return None
        return number >> 80 & _COUNTER_MASK
