"""What if the process ends without a close, or is forked? The one is said, the other refused."""

from __future__ import annotations

import atexit
import logging
import os
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from kcl_py.producer.engine import Engine

_log = logging.getLogger(__name__)
_engines: Final[weakref.WeakSet[Engine]] = weakref.WeakSet()


def watch_forks(engine: Engine) -> None:
    """Let a forked child see that this engine is not its own.

    Asking which process this is would cost every put more than its lock does.
    """
    _engines.add(engine)


def _disown() -> None:
    for engine in _engines:
        engine.is_forked = True


os.register_at_fork(after_in_child=_disown)


def warn_at_exit(engine: Engine) -> Callable[[], None]:
    """Say at the end of the interpreter how many records are lost for want of a close."""
    found = weakref.ref(engine)

    def warn() -> None:
        left = found()
        if left is None or left.is_forked:
            return
        with left.lock:
            pending, kept = left.core.ledger.pending, len(left.core.ledger.kept)
        if pending or kept:
            # In the text too: without a handler of the program's, Python prints the text alone.
            _log.error(
                "producer.never_closed not delivered yet: %d; failed and not taken back: %d; %s",
                pending,
                kept,
                left.how_to_end,
                extra={"pending": pending, "failures": kept},
            )

    atexit.register(warn)
    return warn
