"""Does a shell offer what could follow, and never say anything else?"""

from __future__ import annotations

import itertools
import os
import shlex
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import typer.main
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.cli.catalogue import COMMANDS, GROUPS, STREAM_COMMANDS
from kcl_py.cli.completion import completing, suggestions
from kcl_py.cli.completion.command import SCRIPTS
from kcl_py.cli.completion.completing import words_of
from kcl_py.cli.main import main, whole_app
from kcl_py.cli.streams.payloads import Form
from kcl_py.local.process import EngineProcess
from kcl_py.streams.changes import METRICS
from tests.cli.terminal import PATIENCE_SECONDS, Terminal, programs_in
from tests.cli.typed import Kcl
from tests.local.worlds import FIRST, SECOND

NUMBERS = itertools.count()
LINES = st.text(st.sampled_from("kcl stream-put=:'\"\\ \t\0ü[]@"), max_size=30)

Offered = Callable[..., list[str]]


@pytest.fixture
def offered(kcl: Kcl, monkeypatch: pytest.MonkeyPatch) -> Offered:
    """What is offered for a line; first what else could stand there."""
    monkeypatch.setenv(suggestions.PATIENCE, str(PATIENCE_SECONDS))

    def press_tab(line: str, shell: str = "fish") -> list[str]:
        monkeypatch.setenv(completing.SHELL, shell)
        monkeypatch.setenv(completing.LINE, line)
        typed = kcl()
        monkeypatch.delenv(completing.SHELL)
        assert typed.err == ""
        return typed.out.splitlines()

    return press_tab


def texts(lines: list[str]) -> list[str]:
    """The values alone, without what is said of them; and nothing else could stand there."""
    assert lines[0] == suggestions.Kind.NOTHING_ELSE, lines
    return [line.partition("\t")[0] for line in lines[1:]]


# -------------------------------------------------------------------------- what is always so


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("kcl ", {*COMMANDS, *GROUPS}),
        ("kcl t", {"tail", "top"}),
        ("kcl stream ", set(STREAM_COMMANDS)),
        ("kcl stream re", {"retention"}),
        ("kcl --v", {"--version"}),
        ("kcl tail --f", {"--from", "--follow"}),
        ("kcl tail --decode ", set(Form)),
        ("kcl decode --decode=", {f"--decode={form}" for form in Form}),
        ("kcl tail -o ", {"table", "json", "jsonl"}),
        ("kcl stream list --output j", {"json", "jsonl"}),
        ("kcl tail --from ", {"earliest", "latest", "-15m", "-1h", "at:", "after:"}),
        ("kcl tail --from -", {"-15m", "-1h"}),
        ("kcl tail --from=a", {"--from=at:", "--from=after:"}),
        ("kcl tail --from at:", set()),
        ("kcl produce s --format ", {"auto", "jsonl", "json", "csv", "text", "failed"}),
        ("kcl produce s --order p", {"per_key"}),
        ("kcl stream mode ", {"provisioned", "on-demand"}),
        ("kcl stream mode orders ", {"provisioned", "on-demand"}),
        ("kcl stream mode --stream orders on", {"on-demand"}),
        ("kcl stream monitoring o", {"on", "off"}),
        ("kcl stream monitoring orders ", {"on", "off"}),
        ("kcl stream monitoring orders off ", set(METRICS)),
        ("kcl stream monitoring on ", set(METRICS)),
        ("kcl stream graph orders -f m", {"mermaid"}),
        ("kcl run x --set table.n", {"table.name="}),
        ("kcl completion ", set(SCRIPTS)),
        ("kcl stream scale ", set()),
        ("kcl stream scale orders ", set()),
        ("kcl stream tags orders ", set()),
        ("kcl nothing ", set()),
        ("kcl stream nothing ", set()),
        ("kcl put orders x", set()),
        ("kcl list --nothing=", set()),
        ("A=1 B= kcl stream re", {"retention"}),
        ('kcl "stream" \'re', {"retention"}),
    ],
)
def test_words(offered: Offered, line: str, expected: set[str]) -> None:
    assert set(texts(offered(line))) == expected


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        ("kcl produce orders ", suggestions.Kind.FILES),
        ("kcl produce --stream orders ", suggestions.Kind.FILES),
        ("kcl produce orders x --failed ", suggestions.Kind.FILES),
        ("kcl local --data ", suggestions.Kind.FOLDERS),
        ("kcl local -- ", suggestions.Kind.FILES),
    ],
)
def test_where_a_file_could_stand_the_shell_offers_its_own(
    offered: Offered, line: str, kind: suggestions.Kind
) -> None:
    assert offered(line) == [kind]


def test_profiles_and_regions(
    offered: Offered, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text("[profile work]\n[profile home]\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))

    assert texts(offered("kcl tail --profile w")) == ["work"]
    assert "eu-central-1" in texts(offered("kcl tail --region eu-"))


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """All commands that are no group."""
    for name, each in getattr(command, "commands", {}).items():
        yield from leaves(each, (*path, name))
    if not hasattr(command, "commands"):
        yield path, command


WHOLE = typer.main.get_command(whole_app())
LEAVES = list(leaves(WHOLE))


@pytest.mark.parametrize(("path", "command"), LEAVES, ids=[" ".join(path) for path, _ in LEAVES])
def test_every_flag_of_every_command_is_offered_once(
    offered: Offered, path: tuple[str, ...], command: Any
) -> None:
    flags = {
        name
        for each in command.params
        if each.param_type_name == "option" and not each.hidden
        for name in each.opts
    }
    line = " ".join(["kcl", *path])

    assert set(texts(offered(f"{line} --json -"))) == flags - {"--json"}
    assert "--set" in texts(offered(f"{line} --set a=b --s"))


def test_what_is_known_of_places_is_of_places_that_there_are() -> None:
    there = {
        name
        for _, command in LEAVES
        for each in command.params
        for name in (*each.opts, each.metavar)
    }

    assert set(suggestions.PLACES) <= there


# --------------------------------------------------------------------------- what the service knows


@pytest.fixture
def stream(at_engine: EngineProcess, kcl: Kcl) -> Iterator[str]:
    """A new stream of two shards, the first of them split in a quarter and the rest."""
    name = f"complete-{next(NUMBERS)}"
    assert kcl("stream", "create", name, "--shards", "2", "--wait").code == 0
    assert kcl("stream", "split", FIRST, "--stream", name, "--at", "0.25", "--wait").code == 0
    yield name
    at_engine.set_faults([])
    kcl("stream", "delete", name, "--yes")


def test_streams_and_shards(stream: str, offered: Offered, monkeypatch: pytest.MonkeyPatch) -> None:
    quarter, rest = "shardId-000000000002", "shardId-000000000003"

    for line in ("stream describe ", "put ", "produce ", "leases --stream "):
        assert stream in texts(offered(f"kcl {line}"))
    assert texts(offered(f"kcl tail --stream={stream}")) == []
    assert texts(offered(f"kcl tail --stream={stream[:-1]}")) == [f"--stream={stream}"]
    assert texts(offered(f"kcl tail --stream {stream} ")) == [FIRST, SECOND, quarter, rest]
    assert texts(offered(f"kcl tail {stream} {FIRST} {SECOND} ")) == [quarter, rest]
    assert texts(offered(f"kcl stream split --stream {stream} ")) == [SECOND, quarter, rest]
    assert texts(offered(f"kcl stream merge --stream {stream} {rest} ")) == [SECOND, quarter]
    assert texts(offered(f"kcl stream merge --stream {stream} {quarter} ")) == [rest]
    assert f"{FIRST}\tclosed, 50 %" in offered(f"kcl tail --stream {stream} s")
    assert stream in texts(offered("kcl tail "))
    assert stream in texts(offered("kcl stream split "))
    assert texts(offered(f"kcl stream split {stream} ")) == [SECOND, quarter, rest]
    assert texts(offered(f"kcl stream merge {stream} {quarter} ")) == [rest]
    monkeypatch.setenv("KCL_STREAM", stream)
    assert texts(offered("kcl stream split ")) == [SECOND, quarter, rest]


def test_what_fails_is_asked_once_and_nothing_is_said(
    stream: str, offered: Offered, at_engine: EngineProcess
) -> None:
    for kind in ("throttle", "500", "deny"):
        at_engine.set_faults([{"kind": kind, "operations": ["ListStreams", "ListShards"]}])

        assert texts(offered("kcl stream describe ")) == []
        assert at_engine.faults()[0]["hits"] == 1
        assert texts(offered(f"kcl tail --stream {stream} ")) == []
        assert at_engine.faults()[0]["hits"] == 2


@pytest.mark.parametrize("more", ["", "--region eu-west-1", "--profile nobody", "--endpoint-url x"])
def test_without_a_service_there_is_nothing(offered: Offered, more: str) -> None:
    assert texts(offered(f"kcl tail {more} --stream ")) == []


def test_nobody_waits_for_a_service_that_does_not_answer(
    bare: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        done = subprocess.run(
            [sys.executable, "-m", "kcl_py"],
            env={
                **os.environ,
                "AWS_ACCESS_KEY_ID": "x",
                "AWS_SECRET_ACCESS_KEY": "x",
                "AWS_REGION": "x",
                completing.SHELL: "bash",
                suggestions.PATIENCE: "0.1",
                completing.LINE: f"kcl tail --region x --endpoint-url {url} --stream ",
                "PYTHONPATH": str(Path(__file__).parents[2]),
            },
            capture_output=True,
            check=False,
            text=True,
            timeout=PATIENCE_SECONDS,
        )

    assert (done.stdout, done.stderr, done.returncode) == ("nothing\n", "", 0)


def test_nobody_is_asked_for_a_password(bare: None, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(
        "[profile work]\nrole_arn = arn:aws:iam::123456789012:role/work\nsource_profile = me\n"
        "mfa_serial = arn:aws:iam::123456789012:mfa/me\nregion = eu-west-1\n"
        "[profile me]\naws_access_key_id = x\naws_secret_access_key = x\n"
    )
    environment = {
        **os.environ,
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
        "PYTHONPATH": str(Path(__file__).parents[2]),
        completing.SHELL: "bash",
        completing.LINE: "kcl tail --profile work --stream ",
        suggestions.PATIENCE: str(PATIENCE_SECONDS),
    }

    # As the scripts do it; not the first process of the terminal, which cannot leave it.
    script = f'"{sys.executable}" -m kcl_py 2>/dev/null </dev/null; echo over'
    with Terminal(["sh", "-c", script], environment) as terminal:
        assert terminal.rest() == "nothing\nover\n"


# ----------------------------------------------------------------------------------------- any line


@given(words=st.lists(st.text(st.characters(codec="utf-8"), max_size=9)))
def test_words_are_told_apart_as_a_shell_does(words: list[str]) -> None:
    line = shlex.join(["kcl", *words])

    assert words_of(f"{line} ")[: len(words)] == words
    assert words_of(f"{line} x") == [*words, "x"]


@given(line=LINES, shell=st.sampled_from(sorted(SCRIPTS)))
def test_whatever_is_typed_no_word_is_said_of_it(line: str, shell: str) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(suggestions, "_within", lambda _: ())
        said = Saying()
        patched.setattr(sys, "stdout", said)
        patched.setattr(sys, "stderr", Saying(is_allowed=False))
        environment = {completing.SHELL: shell, completing.LINE: line}
        code = completing.answer(lambda _: WHOLE, environment)

    assert code == 0
    assert said.text.partition("\n")[0] in set(suggestions.Kind)


class Saying:
    """A file that remembers."""

    def __init__(self, *, is_allowed: bool = True) -> None:
        self.text = ""
        self._is_allowed = is_allowed

    def write(self, text: str) -> int:
        assert self._is_allowed, text
        self.text += text
        return len(text)

    def flush(self) -> None:
        pass


# ------------------------------------------------------------------------------------------- shells


def typed_at(
    shell: str, arguments: list[str], environment: Mapping[str, str], folder: Path
) -> Terminal:
    """An interactive shell that has `kcl`, and nothing of the user's."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not here")
    path = programs_in(folder / "bin")
    more = {"PATH": path, "HOME": str(folder), "ZDOTDIR": str(folder), "TERM": "dumb", "PS1": "$ "}
    patience = {suggestions.PATIENCE: str(PATIENCE_SECONDS)}
    return Terminal([program, *arguments], {**environment, **more, **patience})


PRESSED = [
    ("kcl tail --stream={begun}\t", "kcl tail --stream={stream} "),
    ("kcl tail --stream {stream} --from at\t49", "--from at:49"),
    ("kcl tail --stream {stream} --from at:\t49", "--from at:49"),
    ("echo x | kcl put {begun}\t", "kcl put {stream} "),
    ("kcl produce {stream} a-fi\t", "kcl produce {stream} a-file.jsonl "),
]


@pytest.mark.parametrize(
    ("shell", "arguments", "begin"),
    [
        ("bash", ["--norc", "--noprofile", "-i"], 'eval "$(kcl completion bash)"'),
        ("zsh", ["-i"], "source <(kcl completion zsh)"),
    ],
)
def test_a_shell_completes(
    stream: str,
    at_engine: EngineProcess,
    tmp_path: Path,
    shell: str,
    arguments: list[str],
    begin: str,
) -> None:
    (tmp_path / "a-file.jsonl").touch()
    (tmp_path / ".zshrc").touch()
    names = {"stream": stream, "begun": stream[:-1]}

    with typed_at(shell, arguments, at_engine.environment, tmp_path) as terminal:
        terminal.type(f"{begin}; echo rea''dy\n")
        terminal.until("ready\n")
        for keys, expected in PRESSED:
            terminal.type(keys.format(**names))
            terminal.until(expected.format(**names))
            terminal.type("\x15")  # forget the line


def test_fish_completes(stream: str, at_engine: EngineProcess, tmp_path: Path) -> None:
    fish = shutil.which("fish")
    if fish is None:
        pytest.skip("fish is not here")
    lines = [f"kcl tail --stream {stream[:-1]}", "kcl tail --from=at", "kcl stream reten"]
    asked = "\n".join(f"complete -C '{line}'" for line in lines)

    done = subprocess.run(
        [fish, "--no-config", "-c", f"kcl completion fish | source\n{asked}"],
        env={
            **at_engine.environment,
            "PATH": programs_in(tmp_path / "bin"),
            "HOME": str(tmp_path),
            suggestions.PATIENCE: str(PATIENCE_SECONDS),
        },
        capture_output=True,
        check=True,
        text=True,
        timeout=PATIENCE_SECONDS,
    )

    first, second, third = done.stdout.splitlines()
    assert first.strip() == stream
    assert second.startswith("--from=at:\t")
    assert third.startswith("retention\t")


def test_a_script_is_for_this_process_alone(kcl: Kcl) -> None:
    assert {name: kcl("completion", name).out for name in SCRIPTS} == dict(SCRIPTS)
    assert kcl("completion", "csh").failed(2, "fish")
    assert main(["completion"]) == 2
