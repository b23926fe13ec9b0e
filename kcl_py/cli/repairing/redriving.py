"""What does `kcl dlq redrive` do with each letter? One producer for each stream that is named."""

from __future__ import annotations

import sys
from contextlib import suppress
from typing import TYPE_CHECKING

from kcl_py._words import counted
from kcl_py.cli.options import Output
from kcl_py.cli.output import print_json, print_jsonl, print_rows, say
from kcl_py.cli.repairing.dlq import NOT_ALL
from kcl_py.cli.session import make_session
from kcl_py.dead_letters.redrive import Outcome, redrive
from kcl_py.errors import ConfigError, ProducerError, Undelivered
from kcl_py.producer.client import Producer
from kcl_py.producer.config import ProducerConfig

if TYPE_CHECKING:
    import boto3.session

    from kcl_py.cli.options import Shared
    from kcl_py.dead_letters.stored import Stored
    from kcl_py.dead_letters.stores import Store
    from kcl_py.letters import DeadLetter
    from kcl_py.producer.results import Delivery


class Redriving:
    """One run of the command.

    Args:
        to: Another stream than that of each letter.
        only: Names of the letters that are meant; empty: all.
    """

    def __init__(
        self, shared: Shared, store: Store, *, to: str | None, only: frozenset[str]
    ) -> None:
        self._shared = shared
        self._store = store
        self._to = to
        self._only = only
        self._seen: set[str] = set()
        self._session: boto3.session.Session | None = None
        self._producers: dict[str, Producer] = {}

    def say_only(self) -> int:
        """Say which letters would go where."""
        rows = []
        for stored in self._store.read():
            if stored.letter is None:
                say(f"{stored.name} is no dead letter: {stored.problem}; it would be left there")
            elif self._is_wanted(stored):
                rows.append({"id": stored.name, "to": self._to or stored.letter.stream_arn})
        self._refuse_unknown()
        print_rows(self._shared, rows, ("id", "to"), counted(len(rows), "dead letter"))
        say(f"{counted(len(rows), 'dead letter')} would be put back; nothing was done")
        if self._store.shows_at_once is not None:
            say(NOT_ALL)
        return 0

    def run(self) -> int:
        """Put letters back; say what came of it, however it ends.

        Raises:
            BeingRedriven: Somebody else does so at this moment.
        """
        self._store.claim()
        outcome = Outcome()
        try:
            redrive(
                self._store,
                self._put,
                wanted=self._is_wanted,
                outcome=outcome,
                failures=(ProducerError, TimeoutError),
            )
        finally:
            self._close()
            self._tell(outcome)
        if not outcome.not_taken_out:
            self._refuse_unknown()
        return 1 if outcome.failed or outcome.not_taken_out else 0

    def _is_wanted(self, stored: Stored) -> bool:
        self._seen.add(stored.name)
        return not self._only or stored.name in self._only

    def _refuse_unknown(self) -> None:
        unknown = sorted(self._only - self._seen)
        if unknown:
            but = "" if self._store.shows_at_once is None else f"; {NOT_ALL}"
            raise ConfigError(
                f"there is no dead letter {', '.join(unknown)}{but}; see kcl dlq list"
            )

    def _put(self, letter: DeadLetter) -> Delivery:
        producer = self._producer(self._to or letter.stream_arn)
        record = letter.record
        # A record without a key cannot be put; the service made none up either.
        key = record.partition_key or None
        return producer.put(record.data, key=key, hash_key=record.explicit_hash_key)

    def _producer(self, stream: str) -> Producer:
        if stream not in self._producers:
            reached = self._shared.worker_config()
            config = ProducerConfig(
                order="per_key",
                record_ttl=self._shared.timeout_seconds or ProducerConfig().record_ttl,
                region=reached.region,
                endpoint_url=reached.kinesis_endpoint_url,
            )
            self._session = self._session or make_session(self._shared)
            self._producers[stream] = Producer(stream, config=config, session=self._session)
        return self._producers[stream]

    def _close(self) -> None:
        for producer in self._producers.values():
            with suppress(Undelivered):  # each was told of by its result
                producer.close()

    def _tell(self, outcome: Outcome) -> None:
        for name, problem in outcome.unreadable.items():
            say(f"{name} is no dead letter: {problem}; it is left there")
        for name, problem in outcome.failed.items():
            say(f"{name} was not delivered and is kept: {problem}")
        for name, problem in outcome.not_taken_out.items():
            say(f"{name} was delivered, and comes again next time: it is still there ({problem})")
        if outcome.not_taken_out:
            say("mend that, and do it again for the others: nothing more was put")
        is_kept = outcome.unreadable or outcome.failed or self._only
        if is_kept and self._store.shows_at_once is not None:
            say(f"behind what is kept there may be others; {NOT_ALL}")
        facts = {"delivered": outcome.delivered, "failed": len(outcome.failed)}
        if self._shared.form is Output.TABLE:
            sys.stdout.write(f"{outcome.delivered} delivered, {len(outcome.failed)} kept\n")
        elif self._shared.form is Output.JSON:
            print_json(facts)
        else:
            print_jsonl([facts])
