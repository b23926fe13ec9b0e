"""How is a number of things said, where people read it?"""

from __future__ import annotations


def counted(number: int, thing: str) -> str:
    """A number and its thing, as `1 shard` or `2 shards`."""
    return f"{number:,} {thing}{'' if number == 1 else 's'}"
