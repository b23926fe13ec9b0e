"""`kcl stream create|split|merge|scale|...|delete`: make a stream what was asked for."""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, cast

import typer

from kcl_py._words import counted
from kcl_py.cli.options import Shared
from kcl_py.cli.streams.looks import SHARD_COLUMNS, Name
from kcl_py.errors import ConfigError

Wait = Annotated[bool, typer.Option("--wait", help="Wait until the stream is ACTIVE again.")]
Split = Annotated[
    list[str],
    typer.Argument(metavar="[STREAM] SHARD", help="Where, unless --stream says it; an open shard."),
]
Merge = Annotated[
    list[str],
    typer.Argument(
        metavar="[STREAM] SHARD SHARD", help="Where, unless --stream says it; open neighbours."
    ),
]

Scale = Annotated[
    list[str],
    typer.Argument(
        metavar="[STREAM] N", help="Where, unless --stream says it; how many open shards."
    ),
]
ToMode = Annotated[
    list[str],
    typer.Argument(
        metavar="[STREAM] provisioned|on-demand",
        help="Where, unless --stream says it; who counts shards.",
    ),
]
Keep = Annotated[
    list[str],
    typer.Argument(
        metavar="[STREAM] TIME",
        help="Where, unless --stream says it; 24h to 8760h (365d), whole hours.",
    ),
]

SECONDS_PER_HOUR = 3600


class Mode(StrEnum):
    """Who decides on the number of shards."""

    PROVISIONED = "provisioned"
    ON_DEMAND = "on-demand"


class Switch(StrEnum):
    """On or off."""

    ON = "on"
    OFF = "off"


def create(
    shared: Shared,
    *,
    name: Name = None,
    shards: Annotated[
        int | None,
        typer.Option("--shards", metavar="N", min=1, help="So many; else it is on-demand."),
    ] = None,
    tags: Annotated[
        list[str] | None, typer.Option("--tag", metavar="KEY=VALUE", help="Any number of these.")
    ] = None,
    if_missing: Annotated[
        bool, typer.Option("--if-missing", help="That it exists already is fine.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is ACTIVE.")] = False,
) -> int:
    """Create a stream.

    Without --shards it is on-demand. An existing stream is never changed.
    """
    from kcl_py.cli.output import say
    from kcl_py.cli.streams.access import open_stream, waiting
    from kcl_py.streams.account import create as create_stream

    stream = open_stream(shared, name)
    pairs = dict(_pair(text) for text in tags or ())
    with waiting(shared, stream, f"creating {stream}"):
        is_new = create_stream(stream, shards=shards or "on_demand", wait=wait, tags=pairs)
        if not is_new and not if_missing:
            raise ConfigError(
                f"the stream {stream.describe().name} exists already; --if-missing takes it as it "
                "is"
            )
        if wait:
            stream.wait_active(timeout=1e9)
    found = stream.describe()
    what = "was created" if is_new else "was there already"
    say(f"the stream {found.name} {what} and is {found.status}")
    return 0


def split(
    shared: Shared,
    *,
    names: Split,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="FRACTION|HASHKEY", help="Where the upper half begins; the middle."
        ),
    ] = None,
    wait: Wait = False,
) -> int:
    """Split a shard in two."""
    from kcl_py.cli.streams.access import open_stream_of_shards, show_shards, waiting

    (stream, (shard,)), border = open_stream_of_shards(shared, names, 1), _border(at)
    with waiting(shared, stream, f"splitting {shard}"):
        halves = stream.split(shard, at=border, wait=wait)
    show_shards(shared, halves, f"{shard} was split into", SHARD_COLUMNS)
    return 0


def merge(shared: Shared, *, names: Merge, wait: Wait = False) -> int:
    """Merge two shards whose hash keys are neighbours."""
    from kcl_py.cli.streams.access import open_stream_of_shards, show_shards, waiting

    stream, (shard, other) = open_stream_of_shards(shared, names, 2)
    with waiting(shared, stream, f"merging {shard} and {other}"):
        merged = stream.merge(shard, other, wait=wait)
    show_shards(shared, [merged], f"{shard} and {other} were merged into", SHARD_COLUMNS)
    return 0


def scale(shared: Shared, *, words: Scale, wait: Wait = False) -> int:
    """Change the number of shards.

    One step goes to double or half of them at most; afterwards all are of equal size.
    """
    from kcl_py.cli.streams.access import change, open_stream, stream_and_word

    name, text = stream_and_word(words, "N", "orders 8")
    shards = _count(text)
    stream = open_stream(shared, name)
    what = f"scaling to {counted(shards, 'shard')}"
    return change(shared, stream, what, lambda: stream.scale(shards, wait=wait), wait=wait)


def mode(shared: Shared, *, words: ToMode, wait: Wait = False) -> int:
    """Change who decides on the number of shards: you, or the service."""
    from kcl_py.cli.streams.access import change, open_stream, stream_and_word

    name, text = stream_and_word(words, "|".join(Mode), "orders on-demand")
    if text not in list(Mode):
        raise ConfigError(f"{text} is no mode; use {' or '.join(Mode)}")
    stream = open_stream(shared, name)

    def do() -> None:
        stream.set_mode("on_demand" if text == Mode.ON_DEMAND else "provisioned", wait=wait)

    return change(shared, stream, f"changing to {text}", do, wait=wait)


def retention(shared: Shared, *, words: Keep, wait: Wait = False) -> int:
    """Change how long records are kept."""
    from kcl_py.cli.streams.access import change, open_stream, stream_and_word

    name, text = stream_and_word(words, "TIME", "orders 48h")
    hours = _hours(text)
    stream = open_stream(shared, name)
    what = f"keeping records for {counted(hours, 'hour')}"
    return change(shared, stream, what, lambda: stream.set_retention(hours, wait=wait), wait=wait)


def tags(
    shared: Shared,
    *,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STREAM] [KEY=VALUE|KEY-]...",
            help="Where, unless --stream says it; set a tag, or remove one; else list.",
        ),
    ] = None,
) -> int:
    """List the tags of a stream, set some and remove some.

    KEY=VALUE sets a tag, KEY- removes it; others stay.
    """
    from kcl_py.cli.output import print_rows
    from kcl_py.cli.streams.access import open_stream

    changes = list(words or ())
    name = changes.pop(0) if changes and _is_stream(changes[0], shared.stream) else None
    wanted: dict[str, str | None] = {}
    for text in changes:
        if text.endswith("-") and "=" not in text:
            wanted[text[:-1]] = None
        else:
            wanted.update([_pair(text)])
    stream = open_stream(shared, name)
    if wanted:
        stream.set_tags(wanted)
    connection = stream._connection  # noqa: SLF001 - for what is not public
    rows = [
        {"key": key, "value": value}
        for key, value in connection.admin.tags(connection.address).items()
    ]
    print_rows(shared, rows, ("key", "value"), "tags")
    return 0


def monitoring(
    shared: Shared,
    *,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[STREAM] on|off [METRIC]...",
            help="Where, unless --stream says it; only these metrics of each shard, else all.",
        ),
    ],
) -> int:
    """Choose the metrics that are kept for each shard.

    on adds those that are named, off drops them; without a name all. Waits until that is done.
    """
    from kcl_py.cli.streams.access import change, open_stream
    from kcl_py.streams.changes import METRICS

    name, text, metrics = _switch(words)
    stream = open_stream(shared, name)
    named = set(METRICS) if not metrics or "ALL" in metrics else set(metrics)
    there = set(stream.describe().enhanced_metrics)
    wanted = there | named if text == Switch.ON else there - named
    if not named <= set(METRICS):
        wanted = named  # Refused with the list of all.

    def do() -> None:
        stream.set_enhanced_metrics(sorted(wanted))

    return change(shared, stream, f"switching monitoring {text}", do, wait=True)


def encrypt(
    shared: Shared,
    *,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[STREAM] [KEY|off]",
            help="Where, unless --stream says it; id, ARN or alias of a KMS key; off: plainly.",
        ),
    ] = None,
    wait: Wait = False,
) -> int:
    """Encrypt what comes from now on.

    With the key of the service if none is named. What is stored already stays as it is.
    """
    from kcl_py.cli.streams.access import change, open_stream, stream_and_word

    name, key = stream_and_word(words or ["alias/aws/kinesis"], "[KEY|off]", "orders alias/orders")
    stream = open_stream(shared, name)
    kms_key = None if key == "off" else key
    what = "changing encryption"
    return change(shared, stream, what, lambda: stream.encrypt(kms_key, wait=wait), wait=wait)


def delete(
    shared: Shared,
    *,
    name: Name = None,
    with_consumers: Annotated[
        bool, typer.Option("--with-consumers", help="Also if consumers are registered with it.")
    ] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until it is gone.")] = False,
) -> int:
    """Delete a stream with all of its records; asks before."""
    from kcl_py.cli.errors import ExitCode
    from kcl_py.cli.output import say
    from kcl_py.cli.streams.access import confirm, open_stream, waiting

    stream = open_stream(shared, name)
    found = stream.describe()
    shards = counted(found.open_shard_count, "open shard")
    question = f"Delete the stream {found.arn} with {shards}?"
    if not confirm(shared, question):
        say("nothing was deleted")
        return ExitCode.REFUSED
    with waiting(shared, stream, f"deleting {found.name}"):
        stream.delete(wait=wait, enforce_consumer_deletion=with_consumers)
    say(f"the stream {found.name} {'is gone' if wait else 'is being deleted'}")
    return 0


def _border(text: str | None) -> float | None:
    """A fraction has a point, a hash key has none."""
    if text is None:
        return None
    try:
        return int(text) if text.isascii() and text.isdigit() else float(text)
    except ValueError:
        raise ConfigError(
            f"--at {text} is not allowed; use a fraction as 0.25, or a hash key as 1234"
        ) from None


def _is_stream(word: str, named: str | None) -> bool:
    """Say whether a word before tags is a stream: without =, and without - at its end, as KEY- has.

    Args:
        word: The first one.
        named: The stream that a flag names; the same may be named twice.
    """
    return word == named if named else "=" not in word and not word.endswith("-")


def _switch(words: list[str]) -> tuple[str | None, str, list[str]]:
    """Tell the stream, on or off, and metrics apart."""
    name, rest = (None, words) if words[0] in list(Switch) else (words[0], words[1:])
    if not rest or rest[0] not in list(Switch):
        raise ConfigError(
            f"{' '.join(words)} is not of the form [STREAM] on|off [METRIC]..., as orders on"
        )
    return name, rest[0], rest[1:]


def _count(text: str) -> int:
    if not re.fullmatch(r"0*[1-9][0-9]{0,8}", text):
        raise ConfigError(f"{text} is no number of shards; use 1 or more, as 8")
    return int(text)


def _hours(text: str) -> int:
    from kcl_py.settings import parse_setting

    days = text.removesuffix("d")
    try:
        if text != days and days.isdigit():
            return int(days) * 24
        hours = cast("float", parse_setting("stop_grace", text)) / SECONDS_PER_HOUR
    except ConfigError:
        hours = 0.5
    if hours != int(hours):
        raise ConfigError(f"retention {text} is not allowed; use whole hours, as 48h or 7d")
    return int(hours)


def _pair(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"{text} is no tag; write KEY=VALUE")
    return key.strip(), value.strip()
