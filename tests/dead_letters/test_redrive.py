"""Is no letter lost, whenever a redrive stops, and is none left that was delivered?"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kcl_py import ConfigError, DeadLetter, Unavailable
from kcl_py.dead_letters import JsonLinesDeadLetters, S3DeadLetters, SqsDeadLetters
from kcl_py.dead_letters.redrive import Outcome, redrive
from kcl_py.dead_letters.stored import Stored
from kcl_py.dead_letters.stores import QueueStore, Store, open_store
from kcl_py.errors import KclError
from tests.dead_letters.fakes import FakeSession
from tests.dead_letters.letters import letter

QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead"
Place = tuple[Any, Callable[[], Store]]
"""A sink, and what opens a store on it."""


def place(kind: str, folder: str) -> Place:
    session: Any = FakeSession()
    path = str(Path(folder) / "dead.jsonl")
    match kind:
        case "file":
            return JsonLinesDeadLetters(path), lambda: open_store(path, None)
        case "s3":
            url = "s3://bucket/dead"
            return S3DeadLetters(url, session=session), lambda: open_store(url, session)
        case _:
            large = "s3://bucket/large"
            sink = SqsDeadLetters(QUEUE, large_to_s3=large, session=session)
            return sink, lambda: open_store(QUEUE, session)


class RefusedError(Exception):
    """The stream does not take it."""


class DiedError(BaseException):
    """The command is killed."""


class Stream:
    """Takes records, refuses some, and may see the command die.

    Attributes:
        dies_at: The command dies at so many steps from now.
    """

    def __init__(self, refused: set[int], dies_at: int | None = None) -> None:
        self.stored: list[int] = []
        self.dies_at = dies_at
        self._refused = refused

    def put(self, given_letter: DeadLetter) -> Any:
        self._step()
        number = int(given_letter.record.sequence_number)
        stream = self

        class OnItsWay:
            def result(self) -> object:
                stream._step()
                if number in stream._refused:
                    raise RefusedError("too fast")
                stream.stored.append(number)
                stream._step()
                return None

        return OnItsWay()

    def _step(self) -> None:
        if self.dies_at is not None:
            self.dies_at -= 1
            if self.dies_at < 0:
                raise DiedError


def run(store: Store, stream: Stream, outcome: Outcome | None = None) -> Outcome:
    outcome = outcome or Outcome()
    try:
        redrive(
            store,
            stream.put,
            wanted=lambda stored: True,
            outcome=outcome,
            failures=(RefusedError,),
        )
    finally:
        store.close()
    return outcome


def numbers_in(store: Store) -> set[int]:
    """Which letters are there."""
    try:
        return {int(one.letter.record.sequence_number) for one in store.read() if one.letter}
    finally:
        store.close()


@settings(max_examples=40)
@pytest.mark.parametrize("kind", ["file", "s3", "sqs"])
@given(
    numbers=st.lists(st.integers(1, 9), max_size=12),
    refused=st.sets(st.integers(1, 9), max_size=4),
    dies_at=st.none() | st.integers(0, 40),
)
def test_every_letter_is_delivered_or_kept(
    kind: str, numbers: list[int], refused: set[int], dies_at: int | None
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sink, opened = place(kind, folder)
        sink.write([letter(99)])
        sink.write([letter(number) for number in numbers])
        stream, wanted = Stream(refused | {99}, dies_at), {*numbers, 99}

        try:
            outcome = run(opened(), stream)
        except DiedError:
            outcome = None
        left = numbers_in(opened())

        assert {*stream.stored} | left == wanted, "lost"
        if outcome is not None:
            assert left == wanted & (refused | {99})
            assert len(outcome.failed) == len(left)
            # A queue has a message for each time that a letter was written.
            once = len({*numbers} - refused)
            assert outcome.delivered == (len(stream.stored) if kind == "sqs" else once)
        again = Stream(set())
        run(opened(), again)
        assert {*again.stored} == left
        assert numbers_in(opened()) == set()


def test_of_two_redrives_of_one_file_the_second_is_refused(tmp_path: Path) -> None:
    sink, opened = place("file", str(tmp_path))
    sink.write([letter(1)])
    first, second = opened(), opened()
    first.claim()

    with pytest.raises(KclError, match=r"another redrive of .* is running") as refused:
        second.claim()

    assert refused.value.exit_code == 4
    assert [stored.letter is not None for stored in second.read()] == [True], "looking is allowed"
    first.close()
    second.claim()


def test_a_redrive_that_is_killed_leaves_no_lock(tmp_path: Path) -> None:
    sink, opened = place("file", str(tmp_path))
    sink.write([letter(1)])
    program = (
        "import sys\n"
        "from kcl_py.dead_letters.stores import open_store\n"
        "open_store(sys.argv[1], None).claim()\n"
        "print('claimed', flush=True)\n"
        "sys.stdin.read()\n"
    )
    path = str(tmp_path / "dead.jsonl")
    with subprocess.Popen(
        [sys.executable, "-c", program, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"claimed\n"
        with pytest.raises(KclError, match="another redrive"):
            opened().claim()
        other.kill()

    opened().claim()


def test_a_file_beside_which_nothing_can_be_written_is_refused(tmp_path: Path) -> None:
    sink, opened = place("file", str(tmp_path))
    sink.write([letter(1)])
    (tmp_path / "dead.jsonl.redriven").mkdir()

    with pytest.raises(ConfigError, match=r"dead\.jsonl\.redriven cannot be written or locked"):
        opened().claim()


@pytest.fixture
def queue() -> tuple[FakeSession, Store]:
    session: Any = FakeSession()
    SqsDeadLetters(QUEUE, session=session).write([letter(number) for number in range(1, 8)])
    return session, open_store(QUEUE, session)


def test_a_queue_that_shows_all_again_is_read_to_its_end_once(
    queue: tuple[FakeSession, Store],
) -> None:
    """As where reading takes longer than what was read is hidden."""
    session, store = queue
    session.sqs.hides = False  # and so shows the first three again and again

    assert len(list(store.read())) == 3


def test_what_was_looked_at_is_shown_again_though_one_of_it_cannot_be(
    queue: tuple[FakeSession, Store],
) -> None:
    session, store = queue
    assert len(list(store.read())) == 7
    session.sqs.failures = 2
    with pytest.raises(Unavailable):
        store.close()

    assert len(session.sqs.hidden) == 2


def test_what_was_looked_at_is_not_kept_in_memory(queue: tuple[FakeSession, Store]) -> None:
    _, store = queue
    assert isinstance(store, QueueStore)
    for _ in store.read():
        """It is looked at."""

    assert {message.body for message in store._held.values()} == {""}


class Fifo:
    """Shows so many letters, and others only once these are taken out."""

    def __init__(self, numbers: list[int], shows_at_once: int) -> None:
        self.left = numbers
        self.shows_at_once = shows_at_once
        self._hidden: set[int] = set()

    def claim(self) -> None: ...

    def close(self) -> None:
        self._hidden.clear()

    def read(self) -> Iterator[Stored]:
        while not self._hidden and self.left:
            shown = self.left[: self.shows_at_once]
            self._hidden.update(shown)
            for number in shown:
                yield Stored(name=str(number), letter=letter(number), handle=number)

    def take_out(self, stored: Stored) -> None:
        assert isinstance(stored.handle, int)
        self.left.remove(stored.handle)
        self._hidden.remove(stored.handle)


@given(
    count=st.integers(0, 40),
    shows_at_once=st.integers(1, 12),
    refused=st.sets(st.integers(0, 39), max_size=1),
)
def test_a_queue_that_shows_a_few_at_once_is_emptied_up_to_what_cannot_be_delivered(
    count: int, shows_at_once: int, refused: set[int]
) -> None:
    store, stream = Fifo(list(range(count)), shows_at_once), Stream(refused)

    outcome = run(store, stream)

    assert stream.stored == sorted(stream.stored)
    assert {*stream.stored} | {*store.left} == {*range(count)}
    assert outcome.delivered == len(stream.stored)
    stuck = {number // shows_at_once for number in refused if number < count}
    assert all(number in stream.stored for number in range(count) if not stuck)
    if stuck:
        first = min(stuck) * shows_at_once
        assert all(number in stream.stored for number in range(first))


def test_a_letter_that_is_written_once_more_after_a_redrive_counts_anew(tmp_path: Path) -> None:
    for kind in ("file", "s3", "sqs"):
        sink, opened = place(kind, str(tmp_path))
        sink.write([letter(5)])
        assert run(opened(), Stream(set())).delivered == 1

        sink.write([letter(5)])

        assert run(opened(), Stream(set())).delivered == 1


def test_a_large_letter_that_was_written_twice_can_be_put_back_twice() -> None:
    session: Any = FakeSession()
    sink = SqsDeadLetters(QUEUE, large_to_s3="s3://bucket", session=session)
    for second in (1, 2):
        when = datetime(2026, 11, 26, 6, 0, second, tzinfo=UTC)
        sink.write([letter(data=b"x" * 300_000, failed_at=when)])

    outcome = run(open_store(QUEUE, session), Stream(set()))

    assert (outcome.delivered, outcome.unreadable) == (2, {})
    assert (session.sqs.messages, session.s3.objects) == ({}, {})


def test_what_is_no_letter_stays_where_it_is_and_is_told(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    JsonLinesDeadLetters(path).write([letter(1)])
    with path.open("ab") as file:
        file.write(b'{"version": 2}\nnot json\n\n')

    outcome = run(open_store(str(path), None), Stream(set()))

    assert outcome.delivered == 1
    assert sorted(outcome.unreadable.values()) == ["it is no JSON", "its version is 2, not 1"]
    assert path.read_bytes().count(b"\n") == 4


def test_a_mark_that_was_cut_delivers_its_letter_once_more(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    JsonLinesDeadLetters(path).write([letter(1), letter(2)])
    run(open_store(str(path), None), Stream(set()))
    marks = tmp_path / "dead.jsonl.redriven"
    marks.write_bytes(marks.read_bytes()[:-9])
    JsonLinesDeadLetters(path).write([letter(3)])
    stream = Stream(set())

    run(open_store(str(path), None), stream)

    assert stream.stored == [2, 3]
    assert list(open_store(str(path), None).read()) == []


def test_a_pointer_to_nothing_is_told_and_kept() -> None:
    session: Any = FakeSession()
    large = SqsDeadLetters(QUEUE, large_to_s3="s3://bucket", session=session)
    large.write([letter(data=b"x" * 300_000)])
    session.s3.objects.clear()

    outcome = run(open_store(QUEUE, session), Stream(set()))

    assert list(outcome.unreadable.values()) == [
        "s3:GetObject: there is no such queue, bucket or object; check the URL"
    ]
    assert len(session.sqs.messages) == 1
    assert session.sqs.hidden == set(), "shown again"


def test_a_file_that_was_begun_anew_beside_old_marks_is_read(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    for second in (1, 2):
        path.unlink(missing_ok=True)
        when = datetime(2026, 11, 26, 6, 0, second, tzinfo=UTC)
        JsonLinesDeadLetters(path).write([letter(5, failed_at=when)])
        stream = Stream(set())

        run(open_store(str(path), None), stream)

        assert stream.stored == [5]


def test_marks_of_an_earlier_version_count(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    JsonLinesDeadLetters(path).write([letter(5)])
    [stored] = open_store(str(path), None).read()
    (tmp_path / "dead.jsonl.redriven").write_text(f'{{"offset": 0, "id": "{stored.name}"}}\n')

    assert list(open_store(str(path), None).read()) == []


@given(
    st.lists(
        st.binary(max_size=30)
        | st.sampled_from(
            [b'{"offset": 1e999, "id": "x"}', b"[" * 5000, b"null", b'{"offset": []}']
        )
    )
)
def test_whatever_stands_in_the_marks_letters_are_delivered(lines: list[bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sink, opened = place("file", folder)
        sink.write([letter(5)])
        Path(folder, "dead.jsonl.redriven").write_bytes(b"\n".join(lines))

        assert numbers_in(opened()) == {5}


def test_marks_that_cannot_be_read_deliver_nothing_twice(tmp_path: Path) -> None:
    path = tmp_path / "dead.jsonl"
    JsonLinesDeadLetters(path).write([letter(5)])
    (tmp_path / "dead.jsonl.redriven").mkdir()
    stream = Stream(set())

    with pytest.raises(ConfigError, match=r"cannot be read .*mend that first"):
        run(open_store(str(path), None), stream)

    assert stream.stored == []


@pytest.mark.parametrize("error", [OSError("No space left"), Unavailable("no answer")])
def test_what_cannot_be_taken_out_is_told_and_nothing_more_is_put(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr("kcl_py.dead_letters.redrive.WINDOW", 3)
    sink, opened = place("file", str(tmp_path))
    sink.write([letter(number) for number in range(1, 10)])
    store, stream = opened(), Stream({1})

    def refuse(_stored: object) -> None:
        raise error

    monkeypatch.setattr(store, "take_out", refuse)
    outcome = run(store, stream)

    assert (outcome.delivered, len(outcome.failed)) == (0, 1)
    assert len(outcome.not_taken_out) == len(stream.stored) < 5
    assert {*outcome.not_taken_out.values()} == {str(error)}
    assert numbers_in(opened()) == {*range(1, 10)}, "each is still there"
