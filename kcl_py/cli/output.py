"""How is data written to stdout, and talk to stderr?"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, TextIO

from kcl_py.cli.options import Output, Shared

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def wants_color(shared: Shared, file: TextIO) -> bool:
    """Say whether colours are welcome there. Source: no-color.org."""
    return file.isatty() and not shared.no_color and not os.environ.get("NO_COLOR")


def console(shared: Shared, file: TextIO) -> Console:
    """A rich console on that file."""
    from rich.console import Console

    plain = not wants_color(shared, file)
    # Without a terminal rich would cut tables at 80 columns, and what is cut is lost to a pipe.
    width = None if file.isatty() else 200
    return Console(file=file, no_color=plain, highlight=False, soft_wrap=False, width=width)


def say(text: str) -> None:
    """Talk: one line to stderr."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def say_reading(what: str) -> None:
    """Tell somebody at a terminal what is waited for; nothing is said of a pipe."""
    if sys.stdin.isatty():
        say(f"reading {what} from the terminal; end with Ctrl-D")


def print_json(value: object) -> None:
    """One JSON document to stdout, for eyes and for programs."""
    sys.stdout.write(_json_of(value, indent=2) + "\n")
    sys.stdout.flush()


def print_jsonl(values: Iterable[object]) -> None:
    """One JSON document per line to stdout."""
    for value in values:
        sys.stdout.write(_json_of(value) + "\n")
    sys.stdout.flush()


def _json_of(value: object, indent: int | None = None) -> str:
    """As people read it, unless it holds half a character, as JSON may: that is no UTF-8."""
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent)
    return text


def print_rows(
    shared: Shared, rows: Sequence[Mapping[str, object]], columns: Sequence[str], title: str
) -> None:
    """Rows to stdout in the form that was asked for.

    Args:
        rows: All facts; JSON shows every one.
        columns: What a table shows of them, in order.
        title: Of the table.
    """
    if shared.form is Output.JSON:
        print_json(list(rows))
    elif shared.form is Output.JSONL:
        print_jsonl(rows)
    else:
        console(shared, sys.stdout).print(make_table(rows, columns, title))


def make_table(rows: Iterable[Mapping[str, object]], columns: Sequence[str], title: str) -> Table:
    """A table of the named columns; what is missing shows as a dash."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False
    )
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold")
    for row in rows:
        table.add_row(*(escape(_text(row.get(column))) for column in columns))
    return table


def _text(value: object) -> str:
    if value is None or value in ("", [], ()):
        return "-"
    if isinstance(value, float):
        return f"{value:.1f}"
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    return str(value)
