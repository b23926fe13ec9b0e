"""Are peers fed the same records, and left out by name if they cannot be had?"""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.aws.decode import decode_records
from tests.bench import peers
from tests.bench.children import ROOT, ChildError
from tests.bench.daemon import feed, lines, records_line
from tests.bench.figures import Report
from tests.bench.pages import LAG_SECONDS, Pages
from tests.bench.peers import COMPLETE, PEERS, Peer, PeerMissingError, python_of, pythons
from tests.bench.read import LOOP_PAGES, NAMES, take_turns
from tests.bench.session import Session

WHEEL = Peer(name="people", wheels=("people==1.0", "places==2.0"))

ECHO = """
import sys
for line in sys.stdin:
    print('\\n{"action": "status"}\\n', flush=True)
print('{"cpu": 1.5}')
"""


@given(
    records=st.integers(1, 5),
    record_bytes=st.integers(0, 40),
    page=st.integers(0, 10**9 - 1),
)
def test_the_daemon_tells_the_records_of_the_page(
    records: int, record_bytes: int, page: int
) -> None:
    pages = Pages(records=records, record_bytes=record_bytes, count=page + 2)

    line = records_line(pages, page)
    told = json.loads(line)

    assert line.endswith(b"}\n")
    assert line.count(b"\n") == 1
    assert told["action"] == "processRecords"
    assert told["millisBehindLatest"] == LAG_SECONDS * 1000
    assert [
        (
            base64.b64decode(record["data"], validate=True),
            record["partitionKey"],
            record["sequenceNumber"],
            record["approximateArrivalTimestamp"],
        )
        for record in told["records"]
    ] == [
        (
            record.data,
            record.partition_key,
            record.sequence_number,
            round(record.arrival_timestamp * 1000),
        )
        for record in decode_records(pages.answer("shard", page)).answer.records
    ]
    assert {(it["action"], it["subSequenceNumber"]) for it in told["records"]} == {("record", 0)}


def test_the_daemon_begins_with_initialize() -> None:
    told = [json.loads(line) for line in lines(Pages(records=1, record_bytes=1, count=3))]

    assert [it["action"] for it in told] == ["initialize", *["processRecords"] * 3]


def test_a_child_is_told_one_line_for_each_answer() -> None:
    told = lines(Pages(records=1, record_bytes=1, count=3))

    assert feed([sys.executable, "-c", ECHO], {}, told) == {"cpu": 1.5}


@pytest.mark.parametrize("program", ["", "print('no protocol')", "input(); raise OSError('oh')"])
def test_a_child_that_does_not_answer_is_reported(program: str) -> None:
    told = lines(Pages(records=1, record_bytes=1, count=3))

    with pytest.raises(ChildError):
        feed([sys.executable, "-c", program], {}, told)


def pip_that_fails(error: Exception) -> peers.Run:
    def run(command: Sequence[str], seconds_max: float) -> str:
        if "pip" in command:
            raise error
        (Path(command[-1])).mkdir(parents=True)
        return ""

    return run


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (subprocess.CalledProcessError(1, "pip", stderr="a\nno such thing\n"), "no such thing"),
        (subprocess.CalledProcessError(2, "pip", stderr=""), "exit code 2"),
        (subprocess.TimeoutExpired("pip", 300), "not installed after 300 s"),
        (OSError("disk full"), "disk full"),
    ],
)
def test_a_peer_that_cannot_be_installed_is_missing_for_a_reason(
    error: Exception, reason: str, tmp_path: Path
) -> None:
    with pytest.raises(PeerMissingError, match=reason):
        python_of(WHEEL, tmp_path, pip_that_fails(error))

    assert not (tmp_path / WHEEL.name / COMPLETE).exists()


def test_an_environment_is_made_once(tmp_path: Path) -> None:
    commands: list[Sequence[str]] = []

    def run(command: Sequence[str], seconds_max: float) -> str:
        commands.append(command)
        (tmp_path / WHEEL.name).mkdir(exist_ok=True)
        return ""

    first = python_of(WHEEL, tmp_path, run)
    made = len(commands)
    second = python_of(WHEEL, tmp_path, run)
    python_of(Peer(name=WHEEL.name, wheels=("people==1.1",)), tmp_path, run)

    assert first == second == tmp_path / "people" / "bin" / "python"
    assert made == 2
    assert len(commands) == 4, "other versions, another environment"


def test_missing_peers_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(peer: Peer, folder: Path) -> Path:
        raise PeerMissingError(f"no {peer.name} in {folder.name}")

    monkeypatch.setattr(peers, "python_of", missing)
    said: list[str] = []
    folder = tmp_path / "here"
    session = Session(quick=True, folder=tmp_path, tls=None, say=said.append, peers=folder)
    report = Report(name="read", title="Reading")

    assert pythons(session, report) == {}
    assert report.skipped == [f"{peer.name}: no {peer.name} in here" for peer in PEERS]
    assert set(report.skipped) <= {line.removeprefix("skipped ") for line in said}


def test_a_peer_that_fails_is_left_out_and_stops_nobody(tmp_path: Path) -> None:
    def fail() -> float:
        raise ChildError("ended with 1: Traceback\nImportError: no")

    session = Session(quick=True, folder=tmp_path, tls=None, say=lambda _: None)
    report = Report(name="read", title="Reading")
    found: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    ours, theirs = ("1 KB", "TLS", "worker"), ("1 KB", "TLS", "async-kinesis")

    take_turns(session, report, [(theirs, fail), (ours, lambda: 2.0)], found)

    assert found == {ours: [2.0, 2.0]}
    assert report.skipped == ["1 KB, TLS: async-kinesis: ImportError: no"]
    with pytest.raises(ChildError):
        take_turns(session, report, [(ours, fail)], found)


def test_peers_are_contenders_with_pinned_versions() -> None:
    for peer in PEERS:
        assert peer.name in NAMES
        assert peer.name in LOOP_PAGES
        assert all("==" in it for it in [*peer.wheels, *filter(None, [peer.source])])


def modules_of(source: str) -> Mapping[str, list[str]]:
    program = f"import sys, {source}; print(*(m for m in sys.modules if m.startswith('kcl_py')))"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return {source: done.stdout.split()}


def test_what_runs_with_peers_needs_nothing_of_ours() -> None:
    assert modules_of("tests.bench.peer_readers") == {"tests.bench.peer_readers": []}
