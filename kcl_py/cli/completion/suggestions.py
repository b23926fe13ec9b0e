"""Which values could stand at a place of a command line? By what the place is called.

A place is known by its option, or by its metavar: wherever `[STREAM]` or `SHARD` is written, a
stream or a shard is meant. What only the service knows is asked for once and not waited for.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from kcl_py.cli.options import Shared

if TYPE_CHECKING:
    from kcl_py.streams.connection import Connection

PATIENCE_SECONDS: Final = 1.0
"""How long somebody who pressed Tab waits for the service."""

PATIENCE: Final = "_KCL_COMPLETE_SECONDS"
"""Variable: another patience, for a machine that is slow."""


class Kind(StrEnum):
    """What could stand at a place besides the values."""

    NOTHING_ELSE = "nothing"
    FILES = "files"
    FOLDERS = "folders"


@dataclass(frozen=True, slots=True)
class Value:
    """One value, and what is said of it."""

    text: str
    help: str = ""

    @property
    def line(self) -> str:
        """What is said of it, in one line."""
        return self.help.strip().partition("\n")[0]

    def behind(self, text: str) -> Value:
        """Return the same behind what is typed already in the same word."""
        return Value(text + self.text, self.help)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is known of a place.

    Attributes:
        shared: The flags that are typed.
        command: Whose place it is.
        given: The arguments that are typed.
        begun: What is typed of the value.
    """

    shared: Shared
    command: str
    given: tuple[str, ...]
    begun: str


Found = Iterable[Value] | Kind


def suggested(names: Sequence[str], asked: Asked) -> Found | None:
    """Values for a place that is called so; None: nothing is known of it here."""
    for name in names:
        if name in PLACES:
            return PLACES[name](asked)
    return None


# --------------------------------------------------------------------------- what the service knows


def streams(asked: Asked) -> Found:
    """All streams."""

    def look() -> Iterable[str]:
        from kcl_py.streams.connection import Connection

        connection = Connection(None, **_reached(asked.shared))
        _once(connection)
        return connection.admin.names()

    return map(Value, _within(look))


def shards(asked: Asked) -> Found:
    """Shards of the stream that is named: open ones, where a closed one would be refused."""
    from kcl_py.cli.streams.lineage import share_of

    found = [each for each in _shards_of(asked.shared) if each.shard_id not in asked.given]
    if asked.command in _OPEN_ONLY:
        found = [each for each in found if each.is_open]
    return [
        Value(each.shard_id, f"{'open' if each.is_open else 'closed'}, {share_of(each):.3g} %")
        for each in found
    ]


def neighbours(asked: Asked) -> Found:
    """Open shards; once one is named, only those whose hash keys are next to its own."""
    if not asked.given:
        return shards(asked)
    every = [each for each in _shards_of(asked.shared) if each.is_open]
    borders = {
        border
        for each in every
        if each.shard_id == asked.given[0]
        for border in (each.starting_hash_key - 1, each.ending_hash_key + 1)
    }
    return [
        Value(each.shard_id, "next to it")
        for each in every
        if borders & {each.starting_hash_key, each.ending_hash_key}
    ]


def stream_and_neighbours(asked: Asked) -> Found:
    """A stream, then neighbours among its open shards; without a stream only the stream."""
    if asked.shared.stream is not None:
        is_named = asked.given[:1] == (asked.shared.stream,)
        return neighbours(replace(asked, given=asked.given[1:]) if is_named else asked)
    if not asked.given:
        return streams(asked)
    shared = replace(asked.shared, stream=asked.given[0])
    return neighbours(replace(asked, shared=shared, given=asked.given[1:]))


_OPEN_ONLY: Final = frozenset({"split", "merge"})


def _shards_of(shared: Shared) -> Sequence[Any]:
    if shared.stream is None:
        return ()

    def look() -> Iterable[Any]:
        from kcl_py.cli.streams.access import open_stream

        stream = open_stream(shared)
        _once(stream._connection)  # noqa: SLF001 - the command owns the handle
        return stream.shards()

    return _within(look)


def _reached(shared: Shared) -> dict[str, Any]:
    from kcl_py.cli.streams.access import reached

    return reached(shared)


def _once(connection: Connection) -> None:
    """Let it ask once only."""
    from kcl_py.aws.retry import Patience

    connection.patience = Patience(is_stopping=lambda: True)


def _within(look: Callable[[], Iterable[Any]]) -> Sequence[Any]:
    """What it finds in time; nothing if it fails."""
    found: list[Sequence[Any]] = []

    def run() -> None:
        with contextlib.suppress(Exception):
            found.append(tuple(look()))

    # Importing takes its time on any machine and ends; the service is what may not answer.

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(float(os.environ.get(PATIENCE) or PATIENCE_SECONDS))
    return found[0] if found else ()


# --------------------------------------------------------------------------- what is always so


def places(_: Asked) -> Found:
    """Where reading may begin."""
    return (
        Value("earliest", "the oldest record that is kept"),
        Value("latest", "what comes from now on"),
        Value("-15m", "so long ago; 30s, 2h and the like too"),
        Value("-1h", "so long ago"),
        Value("at:", "at a position, SEQ or SEQ/SUB"),
        Value("after:", "behind a position, SEQ or SEQ/SUB"),
    )


def settings(_: Asked) -> Found:
    """What can be tuned."""
    from kcl_py.settings import known_settings

    return [Value(f"{name}=") for name in known_settings()]


def metrics(_: Asked) -> Found:
    """Metrics of shards."""
    from kcl_py.streams.changes import METRICS

    return map(Value, METRICS)


def profiles(_: Asked) -> Found:
    """Profiles of the AWS files."""
    return map(Value, _session().available_profiles)


def regions(_: Asked) -> Found:
    """Where Kinesis is."""
    return map(Value, _session().get_available_regions("kinesis"))


def _session() -> Any:  # noqa: ANN401 - of boto3
    from kcl_py.cli.session import make_session

    return make_session(Shared())


def files(_: Asked) -> Found:
    """A file."""
    return Kind.FILES


def folders(_: Asked) -> Found:
    """A folder."""
    return Kind.FOLDERS


def stream_and_file(asked: Asked) -> Found:
    """A stream, then a file; one of them alone if the other is named."""
    is_named = asked.shared.stream is not None or bool(asked.given)
    return files(asked) if is_named else streams(asked)


def stream_and_shards(asked: Asked) -> Found:
    """A stream, then its shards."""
    first = asked.given[0] if asked.given else None
    named = asked.shared.stream or first
    if named is None:
        return streams(asked)
    return shards(replace(asked, shared=replace(asked.shared, stream=named)))


def stream_and_mode(asked: Asked) -> Found:
    """A stream, then who counts its shards; the stream need not be an argument."""
    from kcl_py.cli.streams.changes import Mode

    return [*map(Value, Mode), *(() if asked.given else stream_and_text(asked))]


def stream_and_switch(asked: Asked) -> Found:
    """A stream, then on or off, then metrics; the stream need not be an argument."""
    from kcl_py.cli.streams.changes import Switch

    if set(Switch) & set(asked.given):
        return metrics(asked)
    return [*map(Value, Switch), *(() if asked.given else stream_and_text(asked))]


def stream_and_text(asked: Asked) -> Found:
    """A stream, then what nobody can guess."""
    is_named = asked.shared.stream is not None or bool(asked.given)
    return () if is_named else streams(asked)


PLACES: Final[Mapping[str, Callable[[Asked], Found]]] = MappingProxyType(
    {
        "--stream": streams,
        "[STREAM]": streams,
        "[STREAM] [FILE|-]": stream_and_file,
        "[STREAM] DATA": stream_and_text,
        "[STREAM] N": stream_and_text,
        "[STREAM] TIME": stream_and_text,
        "[STREAM] [KEY|off]": stream_and_text,
        "[STREAM] [KEY=VALUE|KEY-]...": stream_and_text,
        "[STREAM] provisioned|on-demand": stream_and_mode,
        "[STREAM] on|off [METRIC]...": stream_and_switch,
        "SHARD": neighbours,
        "[STREAM] [SHARD]...": stream_and_shards,
        "[STREAM] SHARD": stream_and_neighbours,
        "[STREAM] SHARD SHARD": stream_and_neighbours,
        "PLACE": places,
        "NAME=VALUE": settings,
        "--profile": profiles,
        "--region": regions,
        "FILE": files,
        "DIR": folders,
        "[-- COMMAND...]": files,
    }
)
