"""Does `kcl dlq` say what it does not see of a queue, and what it could not let go of?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

import pytest

from kcl_py.aws import letters as queues
from kcl_py.dead_letters.sqs import SqsDeadLetters
from kcl_py.local.process import EngineProcess
from tests.cli.typed import Kcl, Typed
from tests.dead_letters.fakes import FakeFifo, FakeSqs
from tests.dead_letters.letters import letter

QUEUE = "https://sqs.eu-central-1.amazonaws.com/123456789012/dead"
FIFO = f"{QUEUE}.fifo"
SHARDS = ("shardId-000000000000", "shardId-000000000001")
NOT_ALL = "these may not be all: a FIFO queue shows the first ten letters of a shard"


@pytest.fixture
def services(at_engine: EngineProcess, monkeypatch: pytest.MonkeyPatch) -> Mapping[str, FakeSqs]:
    """The queues, by URL."""
    made = {QUEUE: FakeSqs(), FIFO: FakeFifo()}
    monkeypatch.setattr(queues, "_queue_client", lambda url, _: made[url])
    return made


@pytest.fixture
def written(services: Mapping[str, FakeSqs]) -> Iterator[Mapping[str, FakeSqs]]:
    """Twelve letters of one shard and three of another, in each queue."""
    for url in services:
        sink = SqsDeadLetters(url)
        sink.write([letter(number, shard_id=SHARDS[0]) for number in range(1, 13)])
        sink.write([letter(number, shard_id=SHARDS[1]) for number in range(21, 24)])
    yield services
    assert not any(service.hidden for service in services.values()), "nothing stays hidden"


def positions(typed: Typed) -> list[str]:
    return [json.loads(line)["position"] for line in typed.out.splitlines()]


def test_a_list_of_a_fifo_queue_says_that_it_may_not_be_all(
    kcl: Kcl, written: Mapping[str, FakeSqs]
) -> None:
    fifo = kcl("dlq", "list", FIFO, "-o", "jsonl")
    other = kcl("dlq", "list", QUEUE, "-o", "jsonl")

    assert (fifo.code, len(positions(fifo))) == (0, 13)
    assert NOT_ALL in fifo.err
    assert (other.code, len(positions(other))) == (0, 15)
    assert other.err == ""
    assert NOT_ALL in kcl("dlq", "list", FIFO).err
    help_text = " ".join(kcl("dlq", "list", "--help").out.split())
    assert "FIFO queue never lists all for sure" in help_text


def test_what_a_fifo_queue_does_not_show_is_not_called_missing(
    kcl: Kcl, written: Mapping[str, FakeSqs]
) -> None:
    rows = [json.loads(x) for x in kcl("dlq", "list", QUEUE, "-o", "jsonl").out.splitlines()]
    hidden = next(row["id"] for row in rows if row["position"] == "12/0")

    assert kcl("dlq", "show", FIFO, hidden).failed(2, f"no dead letter {hidden} among", NOT_ALL)
    assert kcl("dlq", "show", QUEUE, hidden).code == 0
    assert kcl("dlq", "show", QUEUE, "nobody").failed(2, "no dead letter nobody in")
    assert kcl("dlq", "redrive", FIFO, "--only", hidden, "--dry-run").failed(2, NOT_ALL)
    dry = kcl("dlq", "redrive", FIFO, "--dry-run")
    assert (dry.code, NOT_ALL in dry.err) == (0, True)


def test_a_list_is_shown_though_its_messages_stay_hidden(
    kcl: Kcl, services: Mapping[str, FakeSqs], monkeypatch: pytest.MonkeyPatch
) -> None:
    SqsDeadLetters(QUEUE).write([letter(number) for number in (1, 2, 3)])
    service, shown = services[QUEUE], FakeSqs._ChangeMessageVisibility

    def refused(self: FakeSqs, request: dict[str, str]) -> dict[str, str]:
        if request["ReceiptHandle"] == "r-m1":
            raise self._refuse("ChangeMessageVisibility", "MessageNotInflight")
        return shown(self, request)

    monkeypatch.setattr(FakeSqs, "_ChangeMessageVisibility", refused)

    typed = kcl("dlq", "list", QUEUE, "-o", "jsonl")

    assert (typed.code, positions(typed)) == (0, ["1/0", "2/0", "3/0"])
    assert "stay hidden from others" in typed.err
    assert service.hidden == {"m1"}, "one that is refused does not keep the others"
