"""What was written to the stream? A producer that knows every record that the service accepted."""

from __future__ import annotations

import itertools
import json
import random
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

NAMES: Final = ("Ada", "Blaise", "Chen", "Dorothy", "Edsger", "Frances", "Grace", "Hedy", "Ivan")
CITIES: Final = ("Accra", "Bogota", "Cairo", "Dhaka", "Essen", "Fukuoka", "Geneva", "Hanoi")
BATCH_RECORDS_MAX: Final = 500  # Source: PutRecords.
_SEED: Final = 4711


@dataclass(frozen=True, slots=True)
class Written:
    """One record that the service accepted.

    Attributes:
        number: Running number in the data; never given twice.
    """

    shard: str
    sequence_number: str
    number: int
    age: int


class PeopleProducer:
    """A thread that writes people at a steady rate to all shards, with plain boto3.

    Records that were refused are sent again. A call whose answer is lost is sent again as well;
    what it may have written all the same is not in `written`, for nobody knows.

    Args:
        client: A Kinesis client of boto3.
        log: Every accepted record becomes a line in it.
        rate: Records per second, all shards together.
        interval: Seconds between two calls.
    """

    def __init__(
        self,
        client: Any,  # noqa: ANN401 - a client of boto3
        stream: str,
        *,
        log: Path,
        rate: float,
        interval: float = 0.2,
    ) -> None:
        self._client = client
        self._stream = stream
        self._log = log
        self._batch = max(1, min(BATCH_RECORDS_MAX, round(rate * interval)))
        self._interval = interval
        self._numbers = itertools.count(1)
        self._rng = random.Random(_SEED)
        self._open: list[dict[str, Any]] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._work, name="producer", daemon=True)
        self.written: list[Written] = []
        self.failures = 0

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what was refused so far once more, and end."""
        self._stop.set()
        self._thread.join()

    @property
    def is_running(self) -> bool:
        """It writes."""
        return self._thread.is_alive()

    @property
    def ages(self) -> int:
        """Sum of all ages that were written."""
        return sum(record.age for record in self.written)

    def by_shard(self) -> Mapping[str, Sequence[str]]:
        """Sequence numbers by shard, for the auditor."""
        found: dict[str, list[str]] = defaultdict(list)
        for record in list(self.written):
            found[record.shard].append(record.sequence_number)
        return found

    def _work(self) -> None:
        with self._log.open("a") as log:
            while not self._stop.wait(self._interval):
                people = [self._person() for _ in range(self._batch - len(self._open))]
                self._open.extend(people)
                self._put(log)
            for _ in range(10):
                if not self._open:
                    break
                self._put(log)
                threading.Event().wait(self._interval)

    def _person(self) -> dict[str, Any]:
        return {
            "number": next(self._numbers),
            "name": self._rng.choice(NAMES),
            "age": self._rng.randint(1, 99),
            "city": self._rng.choice(CITIES),
        }

    def _put(self, log: Any) -> None:  # noqa: ANN401 - a text file
        people, self._open = self._open, []
        entries = [
            {
                "Data": json.dumps(person).encode(),
                # A fair coin over the whole hash range, whatever the shards are just now.
                "PartitionKey": str(person["number"]),
                "ExplicitHashKey": str(self._rng.getrandbits(128)),
            }
            for person in people
        ]
        try:
            answers = self._client.put_records(StreamName=self._stream, Records=entries)["Records"]
        except Exception:  # noqa: BLE001 - tests break the service; then we try again
            self.failures += 1
            self._open = people
            return
        for person, answer in zip(people, answers, strict=True):
            if "SequenceNumber" not in answer:
                self._open.append(person)
                continue
            record = Written(
                answer["ShardId"], answer["SequenceNumber"], person["number"], person["age"]
            )
            self.written.append(record)
            log.write(json.dumps([record.shard, record.sequence_number, record.number, record.age]))
            log.write("\n")
        log.flush()
