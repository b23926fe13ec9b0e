"""How is the engine run as a process of its own? `python -m kcl_py.local`.

Prints one JSON line with the endpoint when it listens, then serves until it is told to stop.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Sequence

from kcl_py.local.dynamo import DynamoSettings
from kcl_py.local.engine import EngineSettings, serve
from kcl_py.local.kinesis import KinesisSettings


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM, SIGINT, or the end of stdin if asked to."""
    options = _options(arguments)
    asyncio.run(_serve(options))
    return 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m kcl_py.local", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 lets the system choose")
    parser.add_argument("--data", metavar="DIR", help="keep streams and tables in this folder")
    parser.add_argument("--seed", type=int, default=0, help="of table ids and fault rules")
    parser.add_argument("--no-limits", action="store_true", help="no limits per second")
    parser.add_argument(
        "--transition-seconds",
        type=float,
        default=0.05,
        help="how long streams and tables take to be made, changed and deleted",
    )
    parser.add_argument(
        "--subscription-seconds",
        type=float,
        default=300.0,
        help="how long a subscription to a shard lasts",
    )
    parser.add_argument("--empty-pages", type=float, default=0.0, metavar="PROBABILITY")
    parser.add_argument("--until-stdin-closes", action="store_true")
    return parser.parse_args(arguments)


def _settings(options: argparse.Namespace) -> EngineSettings:
    seconds: float = options.transition_seconds
    return EngineSettings(
        port=options.port,
        data=options.data,
        seed=options.seed,
        kinesis=KinesisSettings(
            limits=not options.no_limits,
            create_seconds=seconds,
            update_seconds=seconds,
            delete_seconds=seconds,
            subscription_seconds=options.subscription_seconds,
            empty_page_probability=options.empty_pages,
        ),
        dynamo=DynamoSettings(create_seconds=seconds, delete_seconds=seconds),
    )


async def _serve(options: argparse.Namespace) -> None:
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(NotImplementedError):  # no signal handlers on this platform's loop
            loop.add_signal_handler(number, stop.set)
    if options.until_stdin_closes:
        _watch_stdin(loop, stop)
    await serve(_settings(options), _say_ready, stop)


def _say_ready(url: str) -> None:
    sys.stdout.write(json.dumps({"ready": True, "endpoint_url": url}) + "\n")
    sys.stdout.flush()


def _watch_stdin(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """Stop when whoever started this process is gone, however it went."""

    def wait() -> None:
        while os.read(sys.stdin.fileno(), 4096):
            pass
        with contextlib.suppress(RuntimeError):  # the loop has ended already
            loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=wait, name="kcl-local-stdin", daemon=True).start()


if __name__ == "__main__":
    sys.exit(main())
