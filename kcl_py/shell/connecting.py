"""What has to be found out before the core can start? Clients, then the stream, then the table."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from kcl_py.aws.clients import ClientFactory, Clients, Connections, make_clients
from kcl_py.aws.lease_table import LeaseTable
from kcl_py.aws.names import StreamAddress
from kcl_py.aws.retry import Patience
from kcl_py.aws.stream import StreamReader, describe_stream
from kcl_py.aws.table_setup import open_table
from kcl_py.config import WorkerConfig
from kcl_py.core.facts import StreamFacts, TableFacts
from kcl_py.dead_letters.opening import open_sink
from kcl_py.hosts.cpu_watch import unmeasured
from kcl_py.shell.clock import SYSTEM_CLOCK
from kcl_py.shell.letters import ErrorRules
from kcl_py.shell.meter import Meter
from kcl_py.shell.pools import LEASE_THREADS_MAX, STREAM_THREADS_MAX, TABLE_THREADS_MAX
from kcl_py.status import WorkerStatus

if TYPE_CHECKING:
    import boto3.session

LOOK_SECONDS: Final = 0.1
"""How late a stop may be noticed while set-up waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connected:
    """What set-up found, and the ports that the worker goes on with.

    Attributes:
        errors: What becomes of exceptions of user code.
        cpu_used: Part of the CPUs that is used, as last measured.
    """

    clients: Clients
    table: LeaseTable
    table_facts: TableFacts
    stream: StreamReader
    stream_facts: StreamFacts
    errors: ErrorRules
    meter: Meter = field(default_factory=lambda: Meter(SYSTEM_CLOCK.now))
    cpu_used: Callable[[], float | None] = unmeasured

    def complete(self, status: WorkerStatus) -> WorkerStatus:
        """Add what the core does not know: calls, and what they used up."""
        return replace(
            status,
            dynamodb_read_units=self.table.read_units,
            dynamodb_write_units=self.table.write_units,
            calls=self.meter.values(),
            call_waits=self.meter.waits(),
            cpu_used=self.cpu_used(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Connecting:
    """How to reach AWS.

    Attributes:
        is_stopping: The worker was asked to stop: give up waiting.
        on_progress: Told what is being waited for.
        cpu_used: As `Connected.cpu_used`.
    """

    app_name: str
    stream: StreamAddress
    config: WorkerConfig
    session: boto3.session.Session | None
    client_factory: ClientFactory | None
    rng: random.Random
    is_stopping: Callable[[], bool]
    on_progress: Callable[[str], None]
    cpu_used: Callable[[], float | None] = unmeasured

    def connect(self) -> Connected:
        """Make clients, describe the stream (waiting while it is created), open the table.

        Raises:
            ConfigError, SetupError: The world is not as the worker needs it.
            ServiceError: AWS did not answer, or the worker was asked to stop meanwhile.
        """
        patience = Patience(sleep=self._sleep, is_stopping=self.is_stopping, rng=self.rng)
        sizes = Connections(
            lease_writes=LEASE_THREADS_MAX,
            table_reads=TABLE_THREADS_MAX,
            stream_reads=STREAM_THREADS_MAX + 1,  # a listing beside the reads
        )
        clients = make_clients(
            self.config,
            self.stream,
            session=self.session,
            client_factory=self.client_factory,
            connections=sizes,
        )
        stream_facts = describe_stream(
            clients.stream_control, self.stream, patience=patience, on_progress=self.on_progress
        )
        table_facts = open_table(
            clients.table_control,
            self.config.table,
            self.app_name,
            patience=patience,
            on_progress=self.on_progress,
        )
        return Connected(
            clients=clients,
            table=LeaseTable(
                writes=clients.lease_writes,
                reads=clients.table_reads,
                name=table_facts.name,
                update_item=clients.update_item,
            ),
            table_facts=table_facts,
            stream=StreamReader(
                client=clients.stream_reads,
                stream=self.stream,
                patience=patience,
                get_records=clients.get_records,
            ),
            stream_facts=stream_facts,
            errors=self._error_rules(),
            cpu_used=self.cpu_used,
        )

    def _error_rules(self) -> ErrorRules:
        policy = self.config.on_error
        sink = None
        if policy.then == "dead_letter" and policy.dead_letters is not None:
            sink = open_sink(policy.dead_letters, session=self.session)
        return ErrorRules(give_up_on=policy.give_up_on, write_letters=sink)

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self.is_stopping() and (left := end - time.monotonic()) > 0:
            time.sleep(min(left, LOOK_SECONDS))
