"""What if a program ends without closing its producer? It says how many records that costs."""

from __future__ import annotations

import atexit
import logging
import os
import warnings
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcl_py.producer.engine import Engine

_log = logging.getLogger(__name__)


def warn_at_exit(engine: Engine) -> Callable[[], None]:
    """Say at the end of the interpreter how many records are lost for want of a close."""
    found = weakref.ref(engine)

    def warn() -> None:
        left = found()
        if left is None or os.getpid() != left.process:
            return
        with left.lock:
            pending, kept = left.core.ledger.pending, len(left.core.ledger.kept)
        if pending or kept:
            text = (
                f"a kcl_py Producer was never closed: {pending} records were not delivered yet and "
                f"{kept} that failed were not taken back; close it, or use it in a with-block"
            )
            _log.error(text)
            warnings.warn(text, RuntimeWarning, stacklevel=1)

    atexit.register(warn)
    return warn
