"""How can moto be used where writers contend? Behind one lock.

moto checks a condition and writes in two steps without a lock in between, so that two writers can
both win. Here one request runs at a time. Usage: `python moto_locked.py PORT`, in an environment
that has `moto[server]`.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any

from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple

Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


def one_at_a_time(application: Wsgi) -> Wsgi:
    """The same application, one request after the other; an answer is whole before the next."""
    lock = threading.Lock()

    def locked(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        with lock:
            return list(application(environ, start_response))

    return locked


if __name__ == "__main__":
    run_simple(
        "127.0.0.1",
        int(sys.argv[1]),
        one_at_a_time(DomainDispatcherApplication(create_backend_app)),
        threaded=True,
    )
