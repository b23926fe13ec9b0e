"""Are checkpoints read back as they were written, and put back without a gap?"""

from __future__ import annotations

import contextlib
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.admin.saving import (
    FORMAT,
    Saved,
    check_same_stream,
    plan_import,
    read_document,
    to_document,
)
from kcl_py.admin.troubles import Unsafe
from kcl_py.cli.repairing.checkpoint_reset import place_text
from kcl_py.core.leases.rows import ApplicationRow, LeaseRow, Sentinel
from kcl_py.core.shards.graph import Shard
from kcl_py.errors import ConfigError
from kcl_py.records import Position

APPLICATION = ApplicationRow(
    stream_arn="arn:aws:kinesis:us-east-1:000000000000:stream/people",
    stream_created_at=1790000000.5,
    table_id="t",
    protocol=1,
    position=Sentinel.TRIM_HORIZON,
    initial_sync_done=True,
)

checkpoints = st.one_of(
    st.sampled_from(Sentinel),
    st.builds(Position, st.integers(0, 10**56).map(str), st.integers(0, 9)),
)
leases = st.builds(
    LeaseRow,
    key=st.integers(0, 99).map(lambda n: f"shardId-{n:012}"),
    counter=st.integers(0, 99),
    checkpoint=checkpoints,
    start_at=st.one_of(st.none(), st.floats(0, 2e9)),
).filter(lambda row: row.checkpoint is not Sentinel.AT_TIMESTAMP or row.start_at is not None)


@given(st.lists(leases, max_size=5))
def test_what_is_written_is_read_back(rows: list[LeaseRow]) -> None:
    by_key = {row.key: row for row in rows}
    text = json.dumps(to_document("orders", APPLICATION, by_key, "now"))

    read = read_document("f.json", text)

    assert (read.app, read.stream_created_at) == ("orders", APPLICATION.stream_created_at)
    assert {key: (each.checkpoint, each.start_at) for key, each in read.leases.items()} == {
        key: (row.checkpoint, row.start_at) for key, row in by_key.items()
    }
    check_same_stream("f.json", read, APPLICATION)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no JSON"),
        ("[]", "no file of kcl checkpoint export"),
        ('{"format": "kcl_py checkpoints 1"}', "is damaged: KeyError"),
        (
            json.dumps(
                {
                    "format": "kcl_py checkpoints 1",
                    "app": "a",
                    "stream_arn": "b",
                    "stream_created_at": 1,
                    "leases": [{"lease_key": "s", "checkpoint": "x", "start_at": None}],
                }
            ),
            "is damaged: ValueError",
        ),
    ],
)
def test_a_file_of_others_is_refused(text: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        read_document("f.json", text)


def document(**changes: object) -> dict[str, object]:
    return {
        "format": FORMAT,
        "app": "orders",
        "stream_arn": APPLICATION.stream_arn,
        "stream_created_at": APPLICATION.stream_created_at,
        "leases": [{"lease_key": "s", "checkpoint": "5/0", "start_at": None, "parents": []}],
    } | changes


def lease(**changes: object) -> dict[str, object]:
    return document(
        leases=[{"lease_key": "s", "checkpoint": "5/0", "start_at": None, "parents": []} | changes]
    )


@pytest.mark.parametrize(
    "edited",
    [
        document(stream_created_at=math.nan),  # no difference to it would be too large
        document(stream_created_at="1790000000.5"),
        document(stream_created_at=10**400),
        document(stream_arn=None),
        document(leases={"lease_key": "s"}),
        document(leases=[["s", "5/0"]]),
        document(leases=[lease()["leases"]] * 2),
        lease(lease_key=None),
        lease(lease_key=""),
        lease(checkpoint=5),
        lease(checkpoint="-5/0"),
        lease(checkpoint="5/" + "9" * 5000),
        lease(checkpoint="AT_TIMESTAMP"),
        lease(checkpoint="AT_TIMESTAMP", start_at=math.inf),
        lease(checkpoint="AT_TIMESTAMP", start_at=-1.0),
        lease(checkpoint="AT_TIMESTAMP", start_at=1e300),
        lease(checkpoint="LATEST", start_at=True),
    ],
)
def test_what_somebody_edited_wrongly_is_refused(edited: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"f\.json is (damaged|no JSON).*export it anew") as told:
        read_document("f.json", json.dumps(edited))

    assert len(str(told.value)) < 400


def test_a_lease_that_is_there_twice_is_refused() -> None:
    twice = document(leases=[*lease()["leases"], *lease(checkpoint="7/0")["leases"]])  # type: ignore[misc]  # lists

    with pytest.raises(ConfigError, match="the lease s is there twice"):
        read_document("f.json", json.dumps(twice))


def test_a_newer_format_is_told_from_a_file_of_others() -> None:
    with pytest.raises(ConfigError, match=r"'kcl_py checkpoints 2'.*use the version that wrote it"):
        read_document("f.json", json.dumps(document(format="kcl_py checkpoints 2")))


@given(st.data())
def test_a_file_that_was_cut_off_is_refused(data: st.DataObject) -> None:
    text = json.dumps(document(), indent=2)
    cut = data.draw(st.integers(0, len(text) - 1))

    with pytest.raises(ConfigError, match="is no JSON"):
        read_document("f.json", text[:cut])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)
    | st.sampled_from(["AT_TIMESTAMP", "5/0", "SHARD_END"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)  # fmt: skip


@given(st.sampled_from(["app", "stream_arn", "stream_created_at", "leases"]), json_values)
def test_whatever_stands_in_a_file_it_is_read_or_refused(field: str, value: object) -> None:
    with contextlib.suppress(ConfigError):
        read_document("f.json", json.dumps(document(**{field: value})))


@given(st.sampled_from(["lease_key", "checkpoint", "start_at"]), json_values)
def test_whatever_stands_in_a_lease_it_has_a_place_or_is_refused(field: str, value: object) -> None:
    with contextlib.suppress(ConfigError):
        saved = read_document("f.json", json.dumps(lease(**{field: value})))
        for each in saved.leases.values():
            place_text(each.checkpoint, each.start_at)


@pytest.mark.parametrize("change", [{"stream_arn": "other"}, {"stream_created_at": 1.0}])
def test_the_checkpoints_of_another_stream_are_refused(change: dict[str, object]) -> None:
    document = to_document("orders", APPLICATION, {}, "now") | change

    with pytest.raises(Unsafe):
        check_same_stream("f.json", read_document("f.json", json.dumps(document)), APPLICATION)


def shard(name: str, *parents: str) -> Shard:
    return Shard(
        shard_id=name,
        parents=parents,
        hash_range=(0, 1),
        is_open=True,
        starting_sequence_number=name[1:],
    )


def row(name: str, checkpoint: object, *parents: str) -> LeaseRow:
    return LeaseRow(key=name, counter=1, checkpoint=checkpoint, parents=parents)  # type: ignore[arg-type]


END = Sentinel.SHARD_END
TREE = [shard("s0"), shard("s1", "s0"), shard("s2", "s0"), shard("s3", "s1")]


def test_shards_that_came_since_begin_at_their_oldest_record() -> None:
    saved = {"s0": Saved("s0", Position("5"), None)}
    rows = {
        "s0": row("s0", END),
        "s1": row("s1", END, "s0"),
        "s2": row("s2", Position("7"), "s0"),
        "s3": row("s3", Position("9"), "s1"),
    }

    plan = plan_import(saved, rows, TREE)

    assert {change.key: str(change.anew.checkpoint) for change in plan.changes} == {
        "s0": "5/0",
        "s1": "TRIM_HORIZON",
        "s2": "TRIM_HORIZON",
        "s3": "TRIM_HORIZON",
    }
    assert {change.key: change.anew.root for change in plan.changes} == {
        "s0": True,
        "s1": False,
        "s2": False,
        "s3": False,
    }


def test_what_the_file_had_finished_stays_and_so_does_what_it_does_not_know() -> None:
    saved = {"s0": Saved("s0", END, None), "s1": Saved("s1", Position("3"), None)}
    rows = {
        "s0": row("s0", Position("1")),
        "s1": row("s1", Position("6"), "s0"),
        "s9": row("s9", END),
    }

    plan = plan_import(saved, rows, TREE)

    assert [(change.key, change.anew.root) for change in plan.changes] == [
        ("s1", False),
        ("s3", False),
    ]
    assert plan.kept == {
        "s0": "finished in the file, but read again since; nothing of it is skipped",
        "s9": "the stream has forgotten this shard",
    }


def test_a_lease_that_is_gone_is_made_anew() -> None:
    saved = {"s3": Saved("s3", Position("4"), None)}

    plan = plan_import(saved, {}, TREE)

    [change] = plan.changes
    assert (change.key, change.before, change.shard) == ("s3", None, TREE[3])
