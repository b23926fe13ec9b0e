"""How is the page of the test kit made from its docstrings? Part of `make_reference.py`."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import kcl_py.testing
from kcl_py.testing import pytest_plugin

GROUPS = {
    "A whole life": ["run_processor", "ProcessorRun", "Simulation"],
    "Incidents": [
        "Incident",
        "CrashAfter",
        "CrashAt",
        "HandOffAfter",
        "LoseLeaseAfter",
        "LoseLeaseAt",
        "MergeAfter",
        "SplitAfter",
        "ThrottleAfter",
        "Awakening",
        "moment",
    ],
    "One batch": ["make_batch", "make_async_batch", "make_record", "CheckpointLog", "Payload"],
    "Time": ["FakeClock"],
}

FIXTURES = ["kcl_simulation", "kcl_engine"]

LINE_MAX = 100

HEAD = """# The test kit

{made}

`from kcl_py.testing import ...`; how to use it: [test a processor](../how-to/test-a-processor.md).
"""

PLUGIN_HEAD = """
## pytest

Found by pytest wherever kcl_py is installed; `-p no:kcl_py` leaves it out. It loads nothing else
until a test asks for a fixture.
"""


@dataclass
class Described:
    """A docstring, taken apart.

    Attributes:
        text: What is not in a section.
        sections: By title: what is said of each name.
    """

    text: str
    sections: dict[str, dict[str, str]] = field(default_factory=dict)


def described(docstring: str | None) -> Described:
    """Read a docstring in Google's style."""
    parts = re.split(r"^(Args|Attributes|Raises|Returns):\n", docstring or "", flags=re.MULTILINE)
    sections = {}
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        items: dict[str, str] = {}
        name = ""
        for line in inspect.cleandoc("\n" + body).splitlines():
            started = re.match(r"(\w+): (.*)", line)
            if started:
                name = started[1]
                items[name] = started[2]
            elif name and line.strip():
                items[name] += " " + line.strip()
        sections[title] = items
    return Described(parts[0].strip(), sections)


def tables(about: Described) -> list[str]:
    lines = []
    for title, items in about.sections.items():
        head = "raises" if title == "Raises" else "name"
        lines += ["", f"| {head} | |", "|---|---|"]
        lines += [
            f"| `{name}` | {text.replace('|', chr(92) + '|')} |" for name, text in items.items()
        ]
    return lines


def signature(name: str, function: Callable[..., object]) -> str:
    """Write how something is called: on one line, or a parameter on each."""
    found = inspect.signature(function)
    parameters = []
    is_keyword = False
    for each in found.parameters.values():
        if each.name == "self":
            continue
        if each.kind is each.KEYWORD_ONLY and not is_keyword:
            is_keyword = True
            parameters.append("*")
        text = f"{each.name}: {each.annotation}"
        if each.default is not each.empty:
            shown = repr(each.default)
            text += f" = {type(each.default).__name__ + '()' if len(shown) > LINE_MAX else shown}"
        parameters.append(text)
    returns = "" if inspect.isclass(function) else f" -> {found.return_annotation}"
    line = f"{name}({', '.join(parameters)}){returns}"
    if len(line) <= LINE_MAX:
        return line
    inside = "".join(f"    {each},\n" for each in parameters)
    return f"{name}(\n{inside}){returns}"


def entry(name: str) -> list[str]:
    """Describe one public name."""
    value = getattr(kcl_py.testing, name)
    if inspect.isclass(value) and value.__module__.startswith("kcl_py.testing"):
        return class_entry(name, value)
    if inspect.isfunction(value):
        return function_entry("###", name, signature(name, value), value.__doc__)
    return alias_entry(name)


def function_entry(level: str, name: str, call: str, docstring: str | None) -> list[str]:
    about = described(inspect.cleandoc(docstring or ""))
    return [f"\n{level} `{name}`\n", f"```\n{call}\n```\n", about.text, *tables(about)]


def class_entry(name: str, kind: type) -> list[str]:
    is_protocol = getattr(kind, "_is_protocol", False)
    call = f"class {name}" if is_protocol else signature(name, kind)
    lines = function_entry("###", name, call, kind.__doc__)
    for member, value in vars(kind).items():
        if member.startswith("_") and member != "__call__":
            continue
        if isinstance(value, property):
            lines += [f"\n`.{member}`: {described(inspect.getdoc(value)).text}"]
        elif inspect.isfunction(value):
            about = described(inspect.getdoc(value))
            called = signature("" if member == "__call__" else f".{member}", value)
            lines += [f"\n```\n{called}\n```\n", about.text, *tables(about)]
    return lines


def alias_entry(name: str) -> list[str]:
    """Describe a name for a type, which keeps no docstring of its own."""
    module = importlib.import_module(f"kcl_py.testing.{kcl_py.testing._MODULE_OF[name]}")  # noqa: SLF001
    body = ast.parse(inspect.getsource(module)).body
    for statement, after in zip(body, [*body[1:], None], strict=True):
        if isinstance(statement, ast.AnnAssign) and ast.unparse(statement.target) == name:
            assert isinstance(after, ast.Expr), f"{name} has no docstring"
            assert isinstance(after.value, ast.Constant), f"{name} has no docstring"
            assert statement.value is not None
            meant = ast.unparse(statement.value)
            text = " ".join(str(after.value.value).split())
            return [f"\n### `{name}`\n", f"```\n{name} = {meant}\n```\n", text]
    raise LookupError(name)


# ------------------------------------------------------------------------------------- pytest


class Options:
    """Stands in for pytest's parser, and writes down what it is told."""

    def __init__(self) -> None:
        self.rows: list[str] = []

    def getgroup(self, name: str, description: str) -> Options:  # noqa: ARG002 - as pytest has it
        return self

    def addoption(self, name: str, **facts: object) -> None:
        self.rows.append(f"| `{name} {facts['metavar']}` | {facts['help']} |")

    def addini(self, name: str, text: str, **_: object) -> None:
        self.rows.append(f"| `{name} =` in the ini file | {text} |")


def plugin_lines() -> list[str]:
    lines = [PLUGIN_HEAD]
    functions = {
        node.name: node
        for node in ast.parse(Path(pytest_plugin.__file__).read_text(encoding="utf-8")).body
        if isinstance(node, ast.FunctionDef)
    }
    for name in FIXTURES:
        node = functions[name]
        text = ast.get_docstring(node) or ""
        assert node.returns is not None
        gives = re.sub(r"Iterator\[(\w+)\]", r"\1", ast.unparse(node.returns))
        lines += [f"### `{name}`\n", f"```\n{name}: {gives}\n```\n", text, ""]
    options = Options()
    pytest_plugin.pytest_addoption(options)  # type: ignore[arg-type] # all that it asks for
    return [*lines, "### Options\n", "| option | |", "|---|---|", *options.rows]


def testing_page(made: str) -> str:
    """Write the page."""
    lines = [HEAD.format(made=made)]
    for title, names in GROUPS.items():
        lines.append(f"\n## {title}")
        for name in names:
            lines += entry(name)
    text = "\n".join([*lines, *plugin_lines()]) + "\n"
    return re.sub(r"\n{3,}", "\n\n", text)
