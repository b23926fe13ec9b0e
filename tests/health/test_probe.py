"""Does `kcl health` say what the worker said, say why, and cost next to nothing?"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kcl_py.cli.options import Shared
from kcl_py.cli.running.processes import health_of
from kcl_py.health.beat import Beat, read_beat, steady, write_beat
from kcl_py.health.probe import main, read_file, read_files, understands
from kcl_py.health.server import Answer, Server

NOW = 500.0


def beat(**other: object) -> Beat:
    facts: Beat = {"at": NOW, "good_for": 15.0, "alive": True, "ready": True, "why": "running"}
    return facts | other


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    said: list[str] = []
    code = main(arguments, environment, said.append)
    return code, "".join(said)


@pytest.fixture
def file(tmp_path: Path) -> str:
    return str(tmp_path / "health")


# -------------------------------------------------------------------------------- the file


@pytest.mark.parametrize(
    ("made", "now", "wants_ready", "expected"),
    [
        (beat(), NOW, False, (True, "running")),
        (beat(), NOW + 15, False, (True, "running")),
        (beat(alive=False, why="hangs"), NOW, False, (False, "hangs")),
        (beat(ready=False, why="draining"), NOW, False, (True, "draining")),
        (beat(ready=False, why="draining"), NOW, True, (False, "draining")),
    ],
)
def test_a_fresh_beat_decides(
    file: str, made: Beat, now: float, expected: tuple[bool, str], *, wants_ready: bool
) -> None:
    write_beat(file, made)

    assert read_file(file, now, wants_ready=wants_ready) == expected


def test_an_old_beat_and_one_of_an_earlier_boot_count_for_nothing(file: str) -> None:
    write_beat(file, beat())

    assert read_file(file, NOW + 16, wants_ready=False) == (
        False,
        f"the heartbeat in {file} is 16 s old",
    )
    assert read_file(file, NOW - 100, wants_ready=False) == (
        False,
        f"the heartbeat in {file} is of an earlier boot",
    )


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"at": "soon", "good_for": 1}', "x" * 70_000]
)
def test_what_is_no_heartbeat_is_said_to_be_none(file: str, text: str) -> None:
    Path(file).write_text(text)

    assert read_file(file, NOW, wants_ready=False) == (False, f"{file} is no heartbeat of a worker")


def test_no_file_is_no_worker(file: str) -> None:
    code, said = run("--file", file)

    assert code == 1
    assert "no worker runs" in said


def test_a_beat_is_replaced_as_a_whole_and_leaves_nothing_behind(tmp_path: Path, file: str) -> None:
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            write_beat(file, beat(why="x" * 20_000))

    write_beat(file, beat())
    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            assert read_beat(file)["good_for"] == 15.0
    finally:
        stop.set()
        writer.join()

    assert [path.name for path in tmp_path.iterdir()] == ["health"]


def test_of_several_processes_all_must_be_alive(tmp_path: Path, file: str) -> None:
    for number in (1, 2, 10):
        write_beat(f"{file}.{number}", beat(why=f"running {number}"))
    write_beat(f"{tmp_path}/other.1", beat(alive=False))
    Path(f"{file}.2.123.tmp").write_text("a draft")

    well = read_files(file, NOW, wants_ready=False)
    write_beat(f"{file}.10", beat(alive=False, why="hangs"))

    assert well == (True, "3 processes: running 1; running 2; running 10")
    assert read_files(file, NOW, wants_ready=False) == (False, "process 10 of 3: hangs")


def test_each_of_several_processes_has_a_file_and_a_port_of_its_own() -> None:
    shared = Shared(settings=["health.file=/run/kcl", "health.port=8080"])

    assert health_of(shared, 2) == ["--set=health.file=/run/kcl.3", "--set=health.port=8082"]
    assert health_of(Shared(settings=["health.port=0"]), 2) == []


def test_the_variables_are_those_of_the_worker(file: str) -> None:
    write_beat(file, beat(at=steady()))

    assert run(KCL_HEALTH_FILE=file) == (0, "running\n")
    assert run(KCL_HEALTH_FILE=file, KCL_HEALTH_PORT="1") == (0, "running\n")


@pytest.mark.parametrize(
    "content",
    [b"\xff\xfe{}", b"[" * 60_000, b'{"at": NaN, "good_for": 15}', b'{"at": 1e999, "good_for": 15}',
     b'{"at": ' + b"9" * 5000 + b', "good_for": 15}', b"\0" * 70_000],
)  # fmt: skip
def test_whatever_is_in_a_file_it_is_not_alive(file: str, content: bytes) -> None:
    Path(file).write_bytes(content)

    is_well, why = read_file(file, NOW, wants_ready=False)

    assert not is_well
    assert file in why


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: Path(path).symlink_to(path)])
def test_what_is_no_file_is_not_alive_and_holds_nobody_up(
    file: str, make: Callable[[str], None]
) -> None:
    make(file)

    assert read_file(file, NOW, wants_ready=False)[0] is False


def test_where_nothing_new_can_be_made_the_old_beat_is_written_over(file: str) -> None:
    write_beat(file, beat(why="a long reason"))
    draft = Path(f"{file}.{os.getpid()}.tmp")
    (draft / "inside").mkdir(parents=True)  # stands for a full disk: no draft can be made

    for why in ("short", "a reason that is longer than the first one was"):
        write_beat(file, beat(why=why))
        assert read_beat(file)["why"] == why

    Path(file).unlink()
    with pytest.raises(OSError, match="exists"):
        write_beat(file, beat())


def test_a_link_in_the_way_of_the_draft_is_not_followed(tmp_path: Path, file: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("data")
    Path(f"{file}.{os.getpid()}.tmp").symlink_to(precious)

    write_beat(file, beat())

    assert precious.read_text() == "data"
    assert read_beat(file) == beat()


def test_a_link_in_place_of_the_file_is_not_written_over(tmp_path: Path, file: str) -> None:
    precious = tmp_path / "precious"
    precious.write_text("data")
    Path(file).symlink_to(precious)
    (Path(f"{file}.{os.getpid()}.tmp") / "inside").mkdir(parents=True)

    with pytest.raises(OSError, match="exists"):
        write_beat(file, beat())

    assert precious.read_text() == "data"


# -------------------------------------------------------------------------------- the port


@pytest.fixture
def server() -> Iterator[Server]:
    answers = {"/livez": Answer(200, "running\nmore\n"), "/readyz": Answer(503, "draining\n")}
    server = Server("127.0.0.1", 0, answers.get, steady)
    yield server
    server.close()


def test_a_port_is_asked(server: Server) -> None:
    assert run("--port", str(server.port)) == (0, "running\n")
    assert run(f"--port={server.port}", "--ready") == (1, "draining\n")
    assert run(KCL_HEALTH_PORT=str(server.port), KCL_HEALTH_HOST="0.0.0.0") == (0, "running\n")


def test_a_port_where_nobody_listens_is_not_alive(server: Server) -> None:
    server.close()

    code, said = run("--port", str(server.port))

    assert code == 1
    assert said.startswith(f"nobody answers at 127.0.0.1:{server.port}: ")


def test_a_port_where_somebody_else_listens_is_not_alive() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:

        def speak() -> None:
            sock, _ = other.accept()
            with sock:
                sock.sendall(b"SSH-2.0-x\r\n")

        thread = threading.Thread(target=speak)
        thread.start()
        code, said = run("--port", str(other.getsockname()[1]))
        thread.join()

    assert code == 1
    assert "is no worker" in said or "nobody answers" in said


# -------------------------------------------------------------------------------- the command


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "not known where to look"),
        (("--port", "x"), "x is no port"),
        (("--port", "70000"), "70000 is no port"),
        (("--file",), "--file needs a value"),
        (("--fiel", "x"), "there is no option --fiel"),
    ],
)
def test_wrong_usage_is_not_alive(arguments: tuple[str, ...], said: str) -> None:
    code, told = run(*arguments)

    assert code == 1
    assert said in told


def test_what_it_does_not_know_is_left_to_the_whole_command_line() -> None:
    assert understands(["--file", "x", "--ready"])
    assert not understands(["--json"])
    assert not understands(["--help"])


@pytest.mark.parametrize("begin", [["-m", "kcl_py.health"], ["-m", "kcl_py", "health"]])
def test_it_imports_the_standard_library_only_and_little_of_it(begin: list[str], file: str) -> None:
    write_beat(file, beat(at=steady()))

    answer = subprocess.run(
        [sys.executable, "-X", "importtime", *begin, "--file", file],
        capture_output=True,
        check=False,
        text=True,
    )

    imported = {line.rpartition("|")[2].strip() for line in answer.stderr.splitlines()}
    assert (answer.returncode, answer.stdout) == (0, "running\n")
    assert {name for name in imported if name.startswith("kcl_py")} <= {
        "kcl_py",
        "kcl_py.health",
        "kcl_py.health.beat",
        "kcl_py.health.probe",
    }
    heavy = {
        "boto3",
        "botocore",
        "structlog",
        "typer",
        "rich",
        "msgspec",
        "http",
        "logging",
        "email",
    }
    assert imported & (heavy | {"asyncio", "dataclasses", "threading", "pathlib"}) == set()


def test_the_whole_command_line_says_the_same_as_json(file: str) -> None:
    write_beat(file, beat(at=steady(), alive=False, why="user code hangs in shardId-0"))

    answer = subprocess.run(
        [sys.executable, "-m", "kcl_py", "health", "--file", file, "--json"],
        capture_output=True,
        check=False,
        text=True,
    )

    assert answer.returncode == 1
    assert json.loads(answer.stdout) == {"well": False, "why": "user code hangs in shardId-0"}


def test_a_host_that_is_no_name_is_not_alive() -> None:
    code, said = run("--port", "1", KCL_HEALTH_HOST="a..b")

    assert code == 1
    assert said.startswith("nobody answers at a..b:1: ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("alive", [True, False])
def test_a_full_disk_behind_stdout_does_not_make_a_worker_dead(file: str, *, alive: bool) -> None:
    write_beat(file, beat(at=steady(), alive=alive))
    command = [sys.executable, "-m", "kcl_py.health", "--file", file]
    with Path("/dev/full").open("w") as full:
        full_code = subprocess.run(command, stdout=full, check=False).returncode
    closed = subprocess.Popen(["sh", "-c", 'exec "$@" >&-', "sh", *command])

    assert full_code == closed.wait() == (0 if alive else 1)


def test_an_interruption_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: object) -> tuple[bool, str]:
        raise KeyboardInterrupt

    monkeypatch.setattr("kcl_py.health.probe.check", interrupted)

    assert run("--port", "8080") == (130, "interrupted before there was an answer\n")
