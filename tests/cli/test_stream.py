"""Do the commands about streams do what they say, and say what they did?"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from kcl_py.local.process import EngineProcess
from tests.cli.typed import Kcl
from tests.local.worlds import FIRST, SECOND

NUMBERS = itertools.count()


@pytest.fixture
def stream(at_engine: EngineProcess, kcl: Kcl) -> Iterator[str]:
    """A new stream of one shard."""
    name = f"stream-{next(NUMBERS)}"
    assert kcl("stream", "create", name, "--shards", "1", "--wait").code == 0
    yield name
    kcl("stream", "delete", name, "--yes", "--with-consumers")


def described(kcl: Kcl, stream: str) -> dict[str, Any]:
    typed = kcl("stream", "describe", stream, "--json")
    assert typed.code == 0, typed
    found: dict[str, Any] = json.loads(typed.out)
    return found


# ----------------------------------------------------------------------------------------- looking


def test_where_there_are_no_streams_that_is_said(
    bare: None, kcl: Kcl, monkeypatch: pytest.MonkeyPatch
) -> None:
    with EngineProcess() as fresh:
        for name, value in fresh.environment.items():
            monkeypatch.setenv(name, value)
        typed, as_json = kcl("stream", "list"), kcl("stream", "list", "--json")

    assert (typed.code, typed.out) == (0, "")
    assert typed.err == "there are no streams in this account and region\n"
    assert (as_json.out, as_json.err) == ("[]\n", "")


def test_what_is_created_is_listed_and_described(stream: str, kcl: Kcl) -> None:
    found = described(kcl, stream)

    assert stream in kcl("stream", "list").out.splitlines()
    assert stream in json.loads(kcl("stream", "list", "--json").out)
    lines = kcl("stream", "list", "-o", "jsonl").out.splitlines()
    assert {"stream": stream} in list(map(json.loads, lines))
    assert (found["name"], found["status"], found["mode"]) == (stream, "ACTIVE", "provisioned")
    [shard] = found["shards"]
    assert (shard["shard_id"], shard["state"], shard["share_percent"]) == (FIRST, "open", 100)
    assert shard["ending_hash_key"] == str(2**128 - 1)


def test_a_description_for_eyes_has_all_of_it(stream: str, kcl: Kcl) -> None:
    typed = kcl("stream", "describe", "--stream", stream)

    for word in (f"stream {stream}", "retention hours", "encryption key", "consumers", FIRST):
        assert word in typed.out


def test_lineage_is_drawn_in_three_ways(stream: str, kcl: Kcl) -> None:
    kcl("stream", "split", FIRST, "--stream", stream, "--wait")

    text = kcl("stream", "graph", stream).out
    mermaid = kcl("stream", "graph", stream, "-f", "mermaid").out
    svg = kcl("stream", "graph", stream, "--format", "svg").out

    assert text.splitlines()[0] == f"{FIRST} closed 100 %"
    assert text.splitlines()[2] == "└─ shardId-000000000002 open 50 %"
    assert "s0 --> s1" in mermaid
    assert svg.startswith("<svg")


def test_registered_consumers(stream: str, kcl: Kcl, clients: Mapping[str, Any]) -> None:
    arn = described(kcl, stream)["arn"]
    clients["kinesis"].register_stream_consumer(StreamARN=arn, ConsumerName="mine")

    [row] = json.loads(kcl("stream", "consumers", stream, "--json").out)

    assert row["consumer"] == "mine"
    assert kcl("stream", "delete", stream, "--yes").failed(4, "1 registered consumer;")


# ---------------------------------------------------------------------------------------- changing


def test_what_exists_is_created_again_only_if_that_is_fine(stream: str, kcl: Kcl) -> None:
    assert kcl("stream", "create", stream).failed(2, "exists already", "--if-missing")
    typed = kcl("stream", "create", stream, "--if-missing", "--shards", "7")

    assert typed.code == 0
    assert "was there already and is ACTIVE" in typed.err
    assert described(kcl, stream)["open_shard_count"] == 1


def test_a_new_stream_is_on_demand_unless_counted_and_has_tags(at_engine: object, kcl: Kcl) -> None:
    typed = kcl("stream", "create", "--stream", "ours", "--tag", "team=data", "--wait")
    found = described(kcl, "ours")
    gone = kcl("stream", "delete", "ours", "--yes", "--wait")

    assert typed.code == gone.code == 0
    assert (found["mode"], found["tags"]) == ("on_demand", {"team": "data"})
    assert "is gone" in gone.err
    assert kcl("stream", "describe", "ours").failed(3, "no stream ours")


def test_a_split_and_a_merge(stream: str, kcl: Kcl) -> None:
    at = ("--stream", stream, "--wait", "--json")
    lower, upper = json.loads(kcl("stream", "split", FIRST, "--at", "0.25", *at).out)
    [merged] = json.loads(kcl("stream", "merge", lower["shard_id"], upper["shard_id"], *at).out)
    halves = json.loads(kcl("stream", "split", merged["shard_id"], "--at", str(2**126), *at).out)

    assert (lower["share_percent"], upper["share_percent"]) == (25, 75)
    assert merged["parents"] == [lower["shard_id"], upper["shard_id"]]
    assert halves[1]["starting_hash_key"] == str(2**126)
    assert kcl("stream", "split", FIRST, *at).failed(2, "is closed", "its children are")
    assert kcl("stream", "split", FIRST, "--at", "half", *at).failed(2, "--at half", "0.25")


def test_the_stream_may_stand_before_its_shards(stream: str, kcl: Kcl) -> None:
    split = kcl("stream", "split", stream, FIRST, "--wait", "-o", "jsonl")
    halves = [json.loads(line)["shard_id"] for line in split.out.splitlines()]
    merged = kcl("stream", "merge", stream, *halves, "--wait", "--json")

    assert (split.code, merged.code) == (0, 0)
    assert json.loads(merged.out)[0]["parents"] == halves
    assert kcl("stream", "split", FIRST, stream).failed(2, f"{stream} {FIRST}")
    assert kcl("stream", "split", "a", "b", "c").failed(2, "[STREAM] SHARD")
    assert kcl("stream", "merge", halves[0], "--stream", stream).failed(2, "[STREAM] SHARD SHARD")


def test_without_waiting_it_is_said_what_was_ordered(stream: str, kcl: Kcl) -> None:
    halves = json.loads(kcl("stream", "split", FIRST, "--stream", stream, "--json").out)

    assert [half["state"] for half in halves] == ["ordered", "ordered"]


def test_settings_show_what_changed(stream: str, kcl: Kcl) -> None:
    at = ("--stream", stream, "--wait", "--json")

    def change(*arguments: str) -> tuple[Any, Any]:
        typed = kcl("stream", *arguments, *at)
        assert typed.code == 0, typed
        found = json.loads(typed.out)
        differing = [n for n in found["after"] if found["after"][n] != found["before"][n]]
        [name] = differing
        return found["before"][name], found["after"][name]

    assert change("scale", "2") == (1, 2)
    assert change("retention", "48h") == (24, 48)
    assert change("retention", "7d") == (48, 168)
    assert change("encrypt") == (None, "alias/aws/kinesis")
    assert change("encrypt", "off") == ("alias/aws/kinesis", None)
    assert change("mode", "on-demand") == ("provisioned", "on_demand")


def test_the_stream_may_stand_before_what_is_said_of_it(stream: str, kcl: Kcl) -> None:
    def changed(*words: str) -> dict[str, Any]:
        typed = kcl("stream", *words)
        assert typed.code == 0, typed
        return described(kcl, stream)

    assert changed("scale", stream, "2", "--wait")["open_shard_count"] == 2
    assert changed("retention", stream, "2d", "--wait")["retention_hours"] == 48
    assert changed("encrypt", stream, "alias/mine", "--wait")["encryption_key"] == "alias/mine"
    assert changed("encrypt", stream, "off", "--wait")["encryption_key"] is None
    assert changed("monitoring", stream, "on", "IncomingBytes")["enhanced_metrics"] == [
        "IncomingBytes"
    ]
    assert changed("tags", stream, "team=data", "stage=test")["tags"] == {
        "team": "data",
        "stage": "test",
    }
    assert changed("tags", stream, "stage-")["tags"] == {"team": "data"}
    assert changed("tags", stream)["tags"] == {"team": "data"}
    assert changed("mode", stream, "on-demand", "--wait")["mode"] == "on_demand"
    assert kcl("stream", "scale", "one", "2", "--stream", stream).failed(2, "two streams")
    assert kcl("stream", "tags", "orders-", "--stream", stream).code == 0


def test_a_difference_for_eyes(stream: str, kcl: Kcl) -> None:
    changed = kcl("stream", "retention", "48h", "--stream", stream, "--wait")
    same = kcl("stream", "retention", "48h", "--stream", stream, "--wait")

    assert "retention_hours" in changed.out
    assert "was so already" in same.err
    assert same.out == ""


def test_monitoring_is_switched_by_name(stream: str, kcl: Kcl) -> None:
    def switch(*arguments: str) -> list[str]:
        typed = kcl("stream", "monitoring", *arguments, "--stream", stream)
        assert typed.code == 0, typed
        found: list[str] = described(kcl, stream)["enhanced_metrics"]
        return found

    assert switch("on", "IncomingBytes", "OutgoingBytes") == ["IncomingBytes", "OutgoingBytes"]
    assert len(switch("on")) == 7
    assert len(switch("off", "IncomingBytes")) == 6
    assert switch("off") == []
    at = ("--stream", stream)
    assert kcl("stream", "monitoring", "off", "Bytes", *at).failed(2, "'Bytes'", "IncomingBytes")


def test_tags_are_set_and_removed(stream: str, kcl: Kcl) -> None:
    at = ("--stream", stream, "-o", "jsonl")
    kcl("stream", "tags", "a=1", "b=2", *at)
    typed = kcl("stream", "tags", "a-", "c=x=y", *at)

    rows = [json.loads(line) for line in typed.out.splitlines()]
    assert rows == [{"key": "b", "value": "2"}, {"key": "c", "value": "x=y"}]
    assert kcl("stream", "tags", "nonsense", *at).failed(2, "KEY=VALUE")


def test_deleting_needs_a_yes(stream: str, kcl: Kcl, monkeypatch: pytest.MonkeyPatch) -> None:
    assert kcl("stream", "delete", stream).failed(2, "Delete the stream arn:", "--yes")

    for answer, code in (("n\n", 4), ("\n", 4), ("yes\n", 0)):
        monkeypatch.setattr("sys.stdin", Terminal(answer))
        assert kcl("stream", "delete", stream).code == code


class Terminal:
    """Somebody who answers."""

    def __init__(self, answer: str) -> None:
        self._answer = answer

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        return self._answer


def test_a_wait_ends_with_the_timeout(
    slow_engine: EngineProcess, kcl: Kcl, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in slow_engine.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(time, "sleep", lambda _: pytest.fail("it waited"))

    typed = kcl("stream", "create", "patient", "--shards", "1", "--wait", "--timeout", "1ms")

    assert typed.failed(5, "not done within 1ms", "may still happen")


# ------------------------------------------------------------------------------------- wrong usage


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("split", FIRST), ("--stream NAME|ARN", "KCL_STREAM")),
        (("describe", "one", "--stream", "other"), ("two streams are named", "one", "other")),
        (("retention", "90m", "--stream", "s"), ("whole hours",)),
        (("retention", "soon", "--stream", "s"), ("whole hours", "7d")),
        (("splt",), ("No such command 'splt'", "split")),
        (("merge", FIRST, "--stream", "s"), ("SHARD",)),
        (("mode", "serverless", "--stream", "s"), ("on-demand",)),
        (("create", "a/b"), ("neither a stream name",)),
    ],
)
def test_wrong_usage(kcl: Kcl, arguments: tuple[str, ...], words: tuple[str, ...]) -> None:
    assert kcl("stream", *arguments).failed(2, *words)


def test_shards_that_are_not_adjacent(stream: str, kcl: Kcl) -> None:
    at = ("--stream", stream, "--wait")
    kcl("stream", "scale", "2", *at)

    assert kcl("stream", "merge", FIRST, SECOND, *at).failed(2, "is closed")
    assert kcl("stream", "merge", FIRST, "shardId-9", *at).failed(2, "no shard shardId-9")
