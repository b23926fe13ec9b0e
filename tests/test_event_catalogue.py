"""Does the catalogue of events list every event, with its levels and fields, and no other?"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = ROOT / "docs" / "reference" / "events.md"
ROOMS = (
    "core", "shell", "aws", "cli", "health", "hosts", "metrics", "producer", "streams",
    "tracing", "observers.py", "worker.py",
)  # fmt: skip
NAME = re.compile(r"[a-z_]+\.[a-z_]+")
METHODS = {"exception": "error"}
"""What a logger's method is called, and the level that it logs at, where these differ."""
LEVELS = {"debug", "info", "warning", "error", "critical"}

ROW = re.compile(
    r"^\| `(?P<name>[a-z_.]+)` \| (?P<levels>[a-z, ]+) \| (?P<fields>[^|]*) \|", re.MULTILINE
)

# What each of these is given first is the name of an event.
REPORTERS = {"report", "_report", "Report", "Note", "_write"} | LEVELS | METHODS.keys()
"""`logger.warning(name, extra=facts)` is one as well."""

NAMED_ELSEWHERE = {"Creation"}
"""Given the name of an event which its own file reports."""


@dataclass(slots=True)
class Event:
    """What is said of one event: the union of all places."""

    levels: set[str] = field(default_factory=set)
    fields: set[str] = field(default_factory=set)


def files() -> Iterator[Path]:
    for room in ROOMS:
        place = ROOT / "kcl_py" / room
        yield from [place] if place.suffix else sorted(place.rglob("*.py"))


def name_of(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def texts_in(node: ast.AST) -> set[str]:
    return {
        each.value
        for each in ast.walk(node)
        if isinstance(each, ast.Constant) and isinstance(each.value, str)
    }


def levels_of(call: ast.Call) -> set[str]:
    """Levels named by the call; a logger's method is one itself, and otherwise info is usual."""
    level = METHODS.get(name_of(call), name_of(call))
    if level in LEVELS:
        return {level}
    return (texts_in(call.args[1]) & LEVELS if len(call.args) > 1 else set()) or {"info"}


def keys_of(node: ast.expr, tree: ast.Module) -> set[str]:
    """Keys of a dict that is written out, there or where its name was given to it."""
    if isinstance(node, ast.Dict):
        return {key.value for key in node.keys if isinstance(key, ast.Constant)}  # type: ignore[misc]  # all are text
    found: set[str] = set()
    for each in ast.walk(tree):
        if isinstance(each, ast.Assign | ast.AnnAssign) and isinstance(each.value, ast.Dict):
            targets = each.targets if isinstance(each, ast.Assign) else [each.target]
            if any(ast.unparse(target) == ast.unparse(node) for target in targets):
                found |= keys_of(each.value, tree)
    return found


def fields_of(call: ast.Call, tree: ast.Module) -> set[str]:
    kind = name_of(call)
    if kind in LEVELS | METHODS.keys():
        return set().union(*(keys_of(k.value, tree) for k in call.keywords if k.arg == "extra"))
    if kind in ("Report", "Note", "_write"):
        fields = keys_of(call.args[-1], tree)
        is_keyed = kind == "Report" and ast.unparse(call.args[2]) != "None"
    else:
        fields = {str(keyword.arg) for keyword in call.keywords}
        is_keyed = kind == "_report" or len(call.args) > 2
    return fields | ({"lease_key"} if is_keyed else set())


def is_reporter(call: ast.Call) -> bool:
    return name_of(call) in REPORTERS and bool(call.args)


def events_in_code() -> dict[str, Event]:
    found: dict[str, Event] = {}
    unnamed: dict[str, Event] = {}
    borrowed: list[tuple[str, ast.Call]] = []
    for path in files():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
        for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
            if name_of(call) in NAMED_ELSEWHERE:
                named = [each for each in texts_in(call) if NAME.fullmatch(each)]
                borrowed += [(each, call) for each in named]
            if not is_reporter(call):
                continue
            first = call.args[0]
            event = Event(levels_of(call), fields_of(call, tree))
            # Of a line that is read without its fields the name is the first word.
            word = str(first.value).split(" ")[0] if isinstance(first, ast.Constant) else ""
            if NAME.fullmatch(word):
                known = found.setdefault(word, Event())
                known.levels |= event.levels
                known.fields |= event.fields
            elif ast.unparse(first) == "self._event":
                unnamed |= dict.fromkeys(classes & NAMED_ELSEWHERE, event)
    for name, call in borrowed:
        event = unnamed[name_of(call)]
        known = found.setdefault(name, Event())
        known.levels |= event.levels
        keyed = any(keyword.arg == "key" for keyword in call.keywords)
        known.fields |= event.fields - (set() if keyed else {"lease_key"})
    return found


def events_in_catalogue() -> dict[str, Event]:
    text = CATALOGUE.read_text(encoding="utf-8")
    return {
        row["name"]: Event(
            set(row["levels"].replace(" ", "").split(",")),
            set(re.findall(r"`(\w+)`", row["fields"])),
        )
        for row in ROW.finditer(text)
    }


CODE = events_in_code()
PAGE = events_in_catalogue()


def test_the_catalogue_lists_every_event_and_no_other() -> None:
    assert sorted(PAGE) == sorted(CODE)


@pytest.mark.parametrize("name", sorted(CODE))
def test_levels_and_fields_are_those_of_the_code(name: str) -> None:
    assert PAGE[name] == CODE[name]


def test_what_is_read_from_the_code_is_not_nothing() -> None:
    assert CODE["lease.taken"] == Event({"info"}, {"lease_key", "token", "checkpoint"})
    assert CODE["sync.creation_retried"].fields == {"wait", "why"}
    assert len(CODE) > 40
