"""Does somebody at a terminal see what a command waits for, and how it ends?"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from kcl_py.local.process import EngineProcess
from tests.cli.terminal import Terminal, programs_in
from tests.cli.typed import Kcl
from tests.local.worlds import FIRST

NUMBERS = itertools.count()
CTRL_C, CTRL_D = "\x03", "\x04"

Sit = Callable[..., Terminal]


@pytest.fixture
def stream(at_engine: EngineProcess, kcl: Kcl) -> Iterator[str]:
    name = f"newcomer-{next(NUMBERS)}"
    assert kcl("stream", "create", name, "--shards", "1", "--wait").code == 0
    yield name
    kcl("stream", "delete", name, "--yes")


@pytest.fixture
def sit(at_engine: EngineProcess, tmp_path: Path) -> Sit:
    """Type a command at a terminal."""
    path = programs_in(tmp_path / "bin")
    environment: Mapping[str, str] = {**at_engine.environment, "PATH": path, "TERM": "dumb"}
    return lambda *arguments: Terminal(["kcl", *arguments], environment)


def test_lines_are_asked_for_until_ctrl_d(stream: str, sit: Sit, kcl: Kcl) -> None:
    with sit("produce", stream) as terminal:
        terminal.until("reading lines from the terminal; end with Ctrl-D\n")
        terminal.type("hello\nworld\n")
        terminal.until("world\n")
        terminal.type(CTRL_D)

        assert "2 records" in terminal.rest()
        assert terminal.code == 0
    assert kcl("tail", stream).out.count("\n") == 2


def test_data_is_asked_for_until_ctrl_d(stream: str, sit: Sit, kcl: Kcl) -> None:
    with sit("put", stream, "-") as terminal:
        terminal.until("reading the data from the terminal; end with Ctrl-D\n")
        terminal.type(f"hello\n{CTRL_D}")

        assert FIRST in terminal.rest()
        assert terminal.code == 0
    assert kcl("tail", stream).out.endswith("hello\n\n")


def test_base64_is_asked_for_and_shown_line_by_line(sit: Sit) -> None:
    with sit("decode") as terminal:
        terminal.until("reading lines of base64 from the terminal; end with Ctrl-D\n")
        terminal.type("eyJhIjoxfQ==\n")
        terminal.until('{"a": 1}\n')
        terminal.type(CTRL_D)
        terminal.rest()

        assert terminal.code == 0


def test_following_says_how_it_ends(stream: str, sit: Sit, kcl: Kcl) -> None:
    with sit("tail", stream, "--follow", "--from", "earliest") as terminal:
        terminal.until("showing what comes; end with Ctrl-C\n")
        assert kcl("put", stream, "hello").code == 0
        terminal.until("hello\n")
        terminal.type(CTRL_C)

        assert terminal.rest() == "^C\n"
        assert terminal.code == 0


def test_that_there_is_nothing_is_said(stream: str, sit: Sit) -> None:
    for conditions, said in (
        ((), "there are no records\n"),
        (("--where", "a=1"), "there are no such records\n"),
    ):
        with sit("tail", stream, *conditions) as terminal:
            assert terminal.rest() == said
            assert terminal.code == 0


def test_nothing_is_said_of_a_pipe(stream: str, kcl: Kcl) -> None:
    typed = kcl("tail", "--stream", stream)

    assert (typed.code, typed.out, typed.err) == (0, "", "")


def test_who_names_a_stream_that_is_not_there_is_told_where_to_look(
    at_engine: EngineProcess, kcl: Kcl
) -> None:
    assert kcl("put", "nowhere", "x").failed(3, "does not exist", "`kcl stream list`")
    demo = ("--demo", "users", "-n", "1")
    assert kcl("produce", "nowhere", *demo).failed(3, "does not exist", "`kcl stream list`")
    assert kcl("tail", "nowhere").failed(3, "no such stream", "`kcl stream list`")


def test_a_stream_is_told_from_its_shards(stream: str, kcl: Kcl) -> None:
    assert kcl("put", stream, "x").code == 0
    ways = ([stream], [stream, FIRST], ["--stream", stream, FIRST], ["--stream", stream, stream])

    for way in ways:
        assert kcl("tail", *way).out.endswith("x\n"), way
    assert kcl("tail", FIRST).failed(2, "--stream")
    assert kcl("tail", stream, "--stream", "other").failed(2, "two streams are named")
