"""Does every help text say what its command does, with examples of that command?

And do the examples of the commands about streams and records do what they say, against the engine?
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from kcl_py.cli.catalogue import COMMANDS, EXAMPLES, GROUPS, STREAM_COMMANDS
from kcl_py.cli.main import whole_app
from kcl_py.local.process import EngineProcess
from kcl_py.local.session import make_session
from tests.cli.terminal import PATIENCE_SECONDS, programs_in
from tests.cli.typed import Kcl, Typed

WHOLE = typer.main.get_command(whole_app())
BEGINS = "  Examples:\n"


def tree(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Every command and every group."""
    yield path
    for name, each in getattr(command, "commands", {}).items():
        yield from tree(each, (*path, name))


PATHS = list(tree(WHOLE))
NAMES = [" ".join(["kcl", *path]) for path in PATHS]


def examples_in(said: str) -> list[str]:
    """The lines that a help text ends with."""
    _, begins, rest = said.partition(BEGINS)
    assert begins, said
    return [line.strip() for line in rest.splitlines()]


def commands_in(example: str) -> Iterator[list[str]]:
    """What is typed behind each `kcl` of a line, without what the shell makes of the rest."""
    lexer = shlex.shlex(example, posix=True, punctuation_chars="|<>")
    lexer.whitespace_split = True
    words: list[str] = []
    for word in [*lexer, "|"]:
        if not set(word) <= set("|<>"):
            is_variable = not words and re.match(r"[A-Z_]+=", word)
            words += [] if is_variable else [word]
            continue
        if words[:1] == ["kcl"]:
            yield words[1:]
        words = []


def parsed(arguments: list[str]) -> tuple[str, ...]:
    """Whose command line it is; raises if it is not one."""
    command, path = WHOLE, list[str]()
    while hasattr(command, "commands") and arguments and not arguments[0].startswith("-"):
        path.append(arguments[0])
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context(path[-1] if path else "kcl", list(arguments)).close()
    return tuple(path)


@pytest.mark.parametrize("path", PATHS, ids=NAMES)
def test_help_ends_with_examples_of_that_command(kcl: Kcl, path: tuple[str, ...]) -> None:
    typed = kcl(*path, "--help")

    assert typed.code == 0
    examples = examples_in(typed.out)
    assert examples
    for example in examples:
        assert any(parsed(each)[: len(path)] == path for each in commands_in(example)), example


@pytest.mark.parametrize(
    "example", ["kcl tail --form now", "kcl run", "kcl stream create orders --shards many"]
)
def test_what_is_no_command_line_is_no_example(bare: None, example: str) -> None:
    [arguments] = commands_in(example)

    with pytest.raises(Exception, match=r"(?i)no such option|missing|valid"):
        parsed(arguments)


def test_of_a_line_only_what_kcl_is_given_is_looked_at() -> None:
    line = "echo 'a|b' | kcl put orders - --base64 > out | kcl decode < records.txt"

    assert list(commands_in(line)) == [["put", "orders", "-", "--base64"], ["decode"]]


ENTRIES = {
    **COMMANDS,
    **{name: group.alone for name, group in GROUPS.items() if group.alone is not None},
    **{f"{n} {name}": e for n, group in GROUPS.items() for name, e in group.commands.items()},
}


@pytest.mark.parametrize("name", ENTRIES)
def test_help_begins_with_the_summary(kcl: Kcl, name: str) -> None:
    entry = ENTRIES[name]

    typed = kcl(*name.split(), "--help")

    assert (entry.load().__doc__ or "").partition("\n")[0] == entry.summary
    assert " ".join(entry.summary.split()) in " ".join(typed.out.split())
    assert examples_in(typed.out) == list(entry.examples)


SHOW_THEIR_HELP = {
    "": ([*COMMANDS, *GROUPS], EXAMPLES),
    **{
        name: (list(group.commands), group.examples)
        for name, group in GROUPS.items()
        if group.alone is None
    },
}


@pytest.mark.parametrize("group", SHOW_THEIR_HELP)
def test_a_group_alone_shows_its_commands_and_examples(kcl: Kcl, group: str) -> None:
    names, examples = SHOW_THEIR_HELP[group]

    typed = kcl(*group.split())

    assert typed.code == 2
    assert all(name in typed.err for name in names)
    assert examples_in(typed.err) == list(examples)


# --------------------------------------------------------------------------------------- as written

ENDS = {
    "--follow": "--follow --timeout 200ms",
    "--demo users": "--demo users --count 3",
    "tail -f app.log": "cat app.log",
}
"""What has no end gets one."""

STREAMS = ("orders", "logs", "people")
RECORD = {"id": 1, "customer": {"id": "ann"}, "user": {"name": "ann"}}
FAILED = {"data": "eyJhIjoxfQ==", "key": "ann", "error": "InternalFailure"}
FILES = {
    "order.json": json.dumps(RECORD),
    "orders.jsonl": f"{json.dumps(RECORD)}\n" * 3,
    "people.csv": "name,age\nann,7\n",
    "app.log": "one\ntwo\n",
    "records.txt": "eyJhIjoxfQ==\n",
    "failed.jsonl": json.dumps(FAILED) + "\n",
}
RUN = (
    *(example for entry in STREAM_COMMANDS.values() for example in entry.examples),
    *(each for name in ("put", "produce", "tail", "decode") for each in COMMANDS[name].examples),
)


@pytest.fixture(scope="module")
def quick() -> Iterator[EngineProcess]:
    """An engine that lets nobody wait."""
    with EngineProcess("--no-limits", "--transition-seconds", "0") as running:
        yield running


@pytest.fixture(scope="module")
def kinesis(quick: EngineProcess) -> Any:
    return make_session(quick.endpoint_url).client("kinesis", endpoint_url=quick.endpoint_url)


@pytest.fixture
def position(
    bare: None, quick: EngineProcess, kinesis: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """Of a record in the first shard. There are the streams and files that examples speak of."""
    for name, value in quick.environment.items():
        monkeypatch.setenv(name, value)
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    for name in STREAMS:
        kinesis.create_stream(StreamName=name, ShardCount=4)
    data = json.dumps(RECORD).encode()
    put = kinesis.put_record(
        StreamName="orders", Data=data, PartitionKey="ann", ExplicitHashKey="0"
    )
    yield f"{put['SequenceNumber']}/0"
    for name in kinesis.list_streams()["StreamNames"]:
        kinesis.delete_stream(StreamName=name)


@pytest.mark.parametrize("example", RUN)
def test_an_example_works_as_it_is_written(
    position: str, quick: EngineProcess, kcl: Kcl, tmp_path: Path, kinesis: Any, example: str
) -> None:
    line = example.replace("SEQ/SUB", position)
    for written, run in ENDS.items():
        line = line.replace(written, run)
    if "--failed failed.jsonl" in line:
        (tmp_path / "failed.jsonl").unlink()
    needs_shell = set("|<>") & set(line)

    done = in_a_shell(line, quick, tmp_path) if needs_shell else kcl(*shlex.split(line)[1:])

    assert done.code == 0, done
    assert "error" not in done.err
    assert done.out or done.err or ">" in line or "--follow" in line


def test_an_example_of_create_makes_one(position: str, kcl: Kcl, kinesis: Any) -> None:
    kinesis.delete_stream(StreamName="orders")
    [example] = STREAM_COMMANDS["create"].examples

    assert "was created and is ACTIVE" in kcl(*shlex.split(example)[1:]).err


def in_a_shell(line: str, engine: EngineProcess, folder: Path) -> Typed:
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", line],
        env={**engine.environment, "PATH": programs_in(folder / "bin")},
        cwd=folder,
        capture_output=True,
        check=False,
        text=True,
        timeout=PATIENCE_SECONDS,
    )
    return Typed(done.returncode, done.stdout, done.stderr)
