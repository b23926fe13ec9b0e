"""What was not delivered, and has anybody been told? Kept until somebody has it.

One rule for all who ask: the hook, if there is one, is called with every failure, once; `result()`
tells of its own record whenever it is asked; and `flush` and `close` hand over, once, what none of
these has told anybody. A hook that raised has told nobody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from kcl_py.producer.results import PutFailure


class Kept:
    """One failure.

    Attributes:
        tag: Of the record; not the record itself, which has this for its outcome.
        room: Bytes of the buffer that it takes.
        owed: The hook is to be called with it, or is just at it.
        told: Somebody has it: a hook returned, or `result()` raised it, or a flush returned it.
    """

    __slots__ = ("failure", "owed", "room", "tag", "told")

    def __init__(self, failure: PutFailure, tag: Any, room: int, *, owed: bool) -> None:  # noqa: ANN401
        self.failure = failure
        self.tag = tag
        self.room = room
        self.owed = owed
        self.told = False


class KeptFailures:
    """Failures that somebody is still to be told of, oldest first.

    Attributes:
        room: Bytes of the buffer that they take together.
    """

    def __init__(self) -> None:
        self.room = 0
        self._all: dict[Kept, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, kept: Kept) -> None:
        """Keep one more."""
        self._all[kept] = None
        self.room += kept.room

    def tell(self, kept: Kept) -> int:
        """Note that `result()` has raised it; return how many bytes that sets free."""
        kept.told = True
        return self._let_go(kept)

    def hook_ended(self, kept: Kept, *, returned: bool) -> int:
        """Note that the hook was called with it; one that raised has told nobody."""
        kept.owed = False
        kept.told = kept.told or returned
        return self._let_go(kept)

    def take(self, *, owed: bool = False) -> list[Kept]:
        """Hand over what nobody was told of; whoever asked is told by that.

        Args:
            owed: Also what the hook has not been told yet; it is not called with it any more.
        """
        taken = [kept for kept in self._all if not kept.told and (owed or not kept.owed)]
        for kept in taken:
            kept.told, kept.owed = True, False
            self._let_go(kept)
        return taken

    def _let_go(self, kept: Kept) -> int:
        # While the hook is to be called its queue has the data.
        if not kept.told or kept.owed or kept not in self._all:
            return 0
        del self._all[kept]
        self.room -= kept.room
        return kept.room
