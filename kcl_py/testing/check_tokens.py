"""Do fencing tokens grow from parents to children? I3, across shards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.core import commands
from kcl_py.testing.watch import Watcher

if TYPE_CHECKING:
    from kcl_py.testing.sim_stream import SimStream
    from kcl_py.testing.sim_worker import SimWorker


class TokenChecker(Watcher):
    """Every epoch of a shard has a token above those of all epochs of its parents."""

    def __init__(self, stream: SimStream) -> None:
        self._stream = stream
        self._tokens: dict[str, int] = {}

    def commanded(self, worker: SimWorker, command: commands.Command) -> None:
        """An epoch begins."""
        if not isinstance(command, commands.StartRun):
            return
        epoch = command.epoch
        self._tokens[epoch.key] = max(epoch.token, self._tokens.get(epoch.key, 0))
        shard = self._stream.shard(epoch.key)
        for parent in () if shard is None else shard.parents:
            if epoch.token <= self._tokens.get(parent, 0):
                self.violated(
                    "I3",
                    f"{worker.worker_id} begins {epoch.key} with token {epoch.token}, its parent"
                    f" {parent} has had {self._tokens[parent]}",
                )
