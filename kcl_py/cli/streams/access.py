"""Which stream do the flags mean, and how does a command wait for it and tell what changed?"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from kcl_py.cli.errors import OutOfTime
from kcl_py.cli.options import Output, Shared
from kcl_py.cli.output import console, make_table, print_json, print_jsonl, say
from kcl_py.errors import ConfigError
from kcl_py.shell.clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from kcl_py.streams import ShardDescription, Stream, StreamDescription

FOREVER_SECONDS: Final = 1e9

SHARD_ID: Final = re.compile(r"shardId-\d+")
"""How the service names shards. Source: the Kinesis API."""

_EXAMPLE: Final = {1: "orders shardId-000000000000", 2: "orders shardId-000000000000 ...001"}


def open_stream(shared: Shared, name: str | None = None) -> Stream:
    """The stream that an argument or the flags name.

    Raises:
        ConfigError: None is named, or two.
    """
    from kcl_py.streams import Stream

    if name is not None and shared.stream is not None and name != shared.stream:
        raise ConfigError(
            f"two streams are named, {name} and, by --stream or "
            f"KCL_STREAM, {shared.stream}; name one"
        )
    return Stream(name or shared.needed_stream(), **reached(shared))


def open_stream_of_shards(
    shared: Shared, names: Sequence[str], count: int
) -> tuple[Stream, Sequence[str]]:
    """The stream and so many of its shards; the stream stands before them, if it is not a flag.

    Raises:
        ConfigError: Too many are named, or too few, or none is a stream.
    """
    form = f"[STREAM]{' SHARD' * count}"
    if len(names) not in (count, count + 1):
        raise ConfigError(f"{' '.join(names)} is not of the form {form}, as {_EXAMPLE[count]}")
    first, shards = (None, names) if len(names) == count else (names[0], names[1:])
    if first is not None and SHARD_ID.fullmatch(first) and not SHARD_ID.fullmatch(names[-1]):
        raise ConfigError(f"the stream goes before its shards: {names[-1]} {' '.join(names[:-1])}")
    return open_stream(shared, first), shards


def stream_and_word(words: Sequence[str], form: str, example: str) -> tuple[str | None, str]:
    """Tell the stream from what is said of it; None: it is named by a flag, or not at all.

    Args:
        words: One, or two.
        form: Of the second, as in the help.
        example: Both.

    Raises:
        ConfigError: There are more.
    """
    if len(words) not in (1, 2):
        raise ConfigError(f"{' '.join(words)} is not of the form [STREAM] {form}, as {example}")
    return (words[0] if len(words) > 1 else None), words[-1]


def reached(shared: Shared) -> dict[str, Any]:
    """Where the service is, as `kcl_py.streams` takes it."""
    from kcl_py.cli.session import make_session

    config = shared.worker_config()
    return {
        "session": make_session(shared),
        "region": config.region,
        "endpoint_url": config.kinesis_endpoint_url,
    }


@contextmanager
def waiting(shared: Shared, stream: Stream, what: str) -> Iterator[None]:
    """While this lasts, waits for a stream end after `--timeout`, and show on a terminal.

    Raises:
        OutOfTime: The time is over.
    """
    import time

    from kcl_py.aws.retry import Patience

    begun, limit = SYSTEM_CLOCK.now(), shared.timeout_seconds
    connection = stream._connection  # noqa: SLF001 - the command owns the handle

    def sleep(seconds: float) -> None:
        if limit is not None and SYSTEM_CLOCK.now() - begun + seconds > limit:
            raise OutOfTime(f"{what}: not done within {shared.timeout}; it may still happen")
        time.sleep(seconds)

    connection.patience = Patience(sleep=sleep)
    connection.wait_seconds = FOREVER_SECONDS
    with _bar(shared, what):
        yield


@contextmanager
def _bar(shared: Shared, what: str) -> Iterator[None]:
    if not sys.stderr.isatty() or shared.form is not Output.TABLE:
        yield
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    out = console(shared, sys.stderr)
    with Progress(*columns, console=out, transient=True) as progress:
        progress.add_task(what, total=None)
        yield


# ----------------------------------------------------------------------------------- what changed


def change(
    shared: Shared, stream: Stream, what: str, do: Callable[[], object], *, wait: bool
) -> int:
    """Do it, and show what is different now."""
    before = stream.describe()
    with waiting(shared, stream, what):
        do()
    after = stream.describe()
    show_difference(shared, before, after, wait=wait)
    return 0


def show_difference(
    shared: Shared, before: StreamDescription, after: StreamDescription, *, wait: bool
) -> None:
    """What was, and what is now."""
    old, new = stream_facts(before), stream_facts(after)
    rows = [
        {"setting": name, "before": old[name], "after": new[name]}
        for name in new
        if old[name] != new[name]
    ]
    if shared.form is Output.JSON:
        print_json({"before": old, "after": new})
    elif shared.form is Output.JSONL:
        print_jsonl(rows)
    elif rows:
        table = make_table(rows, ("setting", "before", "after"), f"stream {after.name}")
        console(shared, sys.stdout).print(table)
    else:
        say(f"the stream {after.name} was so already")
    if after.status == "UPDATING" and not wait:
        say(f"the stream {after.name} is UPDATING; --wait waits until that is done")


def show_shards(
    shared: Shared, shards: Sequence[ShardDescription], title: str, columns: Sequence[str]
) -> None:
    """Shards as rows."""
    rows = [shard_facts(shard) for shard in shards]
    if shared.form is Output.JSON:
        print_json(rows)
    elif shared.form is Output.JSONL:
        print_jsonl(rows)
    else:
        console(shared, sys.stdout).print(make_table(rows, columns, title))


def stream_facts(found: StreamDescription) -> dict[str, Any]:
    """All that is known of a stream."""
    return {**asdict(found), "enhanced_metrics": list(found.enhanced_metrics)}


def shard_facts(shard: ShardDescription) -> dict[str, Any]:
    """All that is known of a shard; hash keys as text, for many programs read JSON as floats."""
    from kcl_py.cli.streams.lineage import share_of

    return {
        "shard_id": shard.shard_id or None,
        "state": "open" if shard.is_open else "closed" if shard.shard_id else "ordered",
        "parents": list(shard.parent_shard_ids),
        "starting_hash_key": str(shard.starting_hash_key),
        "ending_hash_key": str(shard.ending_hash_key),
        "share_percent": round(share_of(shard), 4),
        "starting_sequence_number": shard.starting_sequence_number or None,
    }


def confirm(shared: Shared, question: str) -> bool:
    """Ask, unless `--yes` was given.

    Raises:
        ConfigError: There is nobody to ask.
    """
    if shared.yes:
        return True
    if not sys.stdin.isatty():
        raise ConfigError(f"{question} Nobody can be asked here; give --yes to answer yes")
    sys.stderr.write(f"{question} [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in ("y", "yes")
