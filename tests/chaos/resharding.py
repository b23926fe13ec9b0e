"""How does the stream change during a chaos run? Never below or above a number of shards."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from botocore.exceptions import ClientError

from kcl_py.cli.demo.world import World
from tests.chaos.plan import SHARDS_MAX, SHARDS_MIN


class Resharding:
    """Splits and merges; each returns whether it was done."""

    def __init__(self, world: World, say: Callable[[str], None]) -> None:
        self._world = world
        self._say = say

    def split_any(self, target: int) -> bool:
        """Split one of all open shards."""
        return self._split(sorted(self._world.open_shards), target)

    def split_one_of(self, worker: str, target: int) -> bool:
        """Split one of the open shards that this worker owns."""
        owned = set(self._world.leases_of(worker))
        return self._split(sorted(owned & set(self._world.open_shards)), target)

    def merge_any(self, target: int) -> bool:
        """Merge one of all pairs of neighbours."""
        pairs = self._world.neighbours()
        if len(pairs) < SHARDS_MIN:
            return False
        return self._do(lambda: self._world.merge(*pairs[target % len(pairs)]))

    def _split(self, shards: Sequence[str], target: int) -> bool:
        if not shards or len(self._world.open_shards) >= SHARDS_MAX:
            return False
        return self._do(lambda: self._world.split(shards[target % len(shards)]))

    def _do(self, change: Callable[[], None]) -> bool:
        try:
            change()
        except ClientError as error:  # As Kinesis: so many changes a second, and no more.
            self._say(f"         refused: {error}")
            return False
        return True
