"""`kcl stream list|describe|graph|consumers`: which streams are there, and what are they like?"""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Any, Final

import typer

from kcl_py.cli.options import Output, Shared

SHARD_COLUMNS: Final = (
    "shard_id",
    "state",
    "share_percent",
    "parents",
    "starting_hash_key",
    "ending_hash_key",
)

Name = Annotated[
    str | None, typer.Argument(metavar="[STREAM]", help="Name or ARN; the same as --stream.")
]


class GraphForm(StrEnum):
    """How lineage is drawn."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"


def list_(shared: Shared) -> int:
    """List the names of all streams of this account and region."""
    from kcl_py.cli.output import print_json, print_jsonl, say
    from kcl_py.cli.streams.access import reached
    from kcl_py.streams import list_streams

    names = list_streams(**reached(shared))
    if shared.form is Output.JSON:
        print_json(list(names))
    elif shared.form is Output.JSONL:
        print_jsonl({"stream": name} for name in names)
    else:
        sys.stdout.write("".join(f"{name}\n" for name in names))
        if not names:
            say("there are no streams in this account and region")
    return 0


def describe(shared: Shared, *, name: Name = None) -> int:
    """Show a stream: settings, tags, registered consumers, and all shards.

    Closed shards are listed until retention has passed them.
    """
    from kcl_py.cli.output import print_json, print_jsonl
    from kcl_py.cli.streams.access import open_stream, shard_facts, stream_facts

    stream = open_stream(shared, name)
    found = stream.describe()
    facts: dict[str, Any] = stream_facts(found)
    connection = stream._connection  # noqa: SLF001 - for what is not public
    facts["tags"] = connection.admin.tags(connection.address)
    has_shards = found.status in ("ACTIVE", "UPDATING")
    shards = [shard_facts(shard) for shard in stream.shards()] if has_shards else []
    if shared.form is Output.JSON:
        print_json({**facts, "shards": shards})
    elif shared.form is Output.JSONL:
        print_jsonl(shards)
    else:
        _show(shared, facts, shards)
    return 0


def _show(shared: Shared, facts: dict[str, Any], shards: list[dict[str, Any]]) -> None:
    from kcl_py.cli.output import console, make_table

    tags = [f"{key}={value}" for key, value in facts["tags"].items()]
    rows = [
        {"setting": key.replace("_", " "), "value": value}
        for key, value in {**facts, "tags": tags}.items()
        if key != "name"
    ]
    out = console(shared, sys.stdout)
    out.print(make_table(rows, ("setting", "value"), f"stream {facts['name']}"))
    out.print()
    out.print(make_table(shards, SHARD_COLUMNS, "shards"))


def graph(
    shared: Shared,
    *,
    name: Name = None,
    form: Annotated[
        GraphForm, typer.Option("--format", "-f", help="How to draw.")
    ] = GraphForm.TEXT,
) -> int:
    """Draw how the shards of a stream descend from each other."""
    from kcl_py.cli.streams import lineage
    from kcl_py.cli.streams.access import open_stream

    draw = {
        GraphForm.TEXT: lineage.as_text,
        GraphForm.MERMAID: lineage.as_mermaid,
        GraphForm.SVG: lineage.as_svg,
    }
    sys.stdout.write(draw[form](open_stream(shared, name).shards()))
    return 0


def consumers(shared: Shared, *, name: Name = None) -> int:
    """List the consumers that are registered for enhanced fan-out."""
    from kcl_py.cli.output import print_rows
    from kcl_py.cli.streams.access import open_stream

    stream = open_stream(shared, name)
    rows = [
        {
            "consumer": each["ConsumerName"],
            "status": each["ConsumerStatus"],
            "since": each["ConsumerCreationTimestamp"].isoformat(),
            "arn": each["ConsumerARN"],
        }
        for each in stream._connection.admin.consumers(stream.describe().arn)  # noqa: SLF001
    ]
    print_rows(shared, rows, ("consumer", "status", "since"), "registered consumers")
    return 0
