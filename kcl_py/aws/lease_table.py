"""How is the lease table written and read? Every call ends in a value; none raises.

One call is one attempt: retries of lease writes belong to the core, which knows what they hang on.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

from botocore.exceptions import ClientError

from kcl_py.aws.attributes import KEY, Item
from kcl_py.aws.failures import UnparsableAnswerError, error_code, failure, kind_of
from kcl_py.aws.lease_codec import (
    KEYS_READ_MAX,
    decode_row,
    encode_write,
    get_request,
    owned_request,
    read_request,
    scan_request,
)
from kcl_py.core.events import Applied, Failure, FailureKind, Refused, WriteAnswer

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

    from kcl_py.core.leases.rows import Row
    from kcl_py.core.leases.writes import RowWrite

PAGES_MAX: Final = 10_000
UNPROCESSED_ROUNDS_MAX: Final = 3
UNPROCESSED_PAUSE_SECONDS: Final = 0.05


@dataclass(frozen=True, slots=True)
class RowsFound:
    """What reading rows brought; what is neither found nor absent is unknown."""

    rows: tuple[Row, ...]
    absent: tuple[str, ...]
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class KeysFound:
    """Keys that the index shows, possibly stale."""

    keys: tuple[str, ...]
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class TableSeen:
    """Which table this is now; no id and no failure: there is none."""

    table_id: str | None
    failure: Failure | None = None


class LeaseTable:
    """The lease table of one application. Thread-safe.

    Args:
        writes: For lease writes alone, with its own connections and short timeouts.
        reads: For everything else.
        name: Of the table.
        wall_clock: Unix seconds; shown in worker rows, never compared.
        sleep: Waits so many seconds between rounds of a batch read.
        update_item: Called in place of that of `writes`.
    """

    def __init__(
        self,
        *,
        writes: DynamoDBClient,
        reads: DynamoDBClient,
        name: str,
        wall_clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        update_item: Callable[..., Any] | None = None,
    ) -> None:
        self.name = name
        self._writes = writes
        self._update_item = update_item or writes.update_item
        self._reads = reads
        self._wall_clock = wall_clock
        self._sleep = sleep
        self._lock = threading.Lock()
        self._read_units = 0.0
        self._write_units = 0.0

    @property
    def read_units(self) -> float:
        """Read units consumed so far, as the service told them."""
        return self._read_units

    @property
    def write_units(self) -> float:
        """Write units consumed so far; of a failed condition where the service tells them."""
        return self._write_units

    # -------------------------------------------------------------------------------------- writing

    def write(self, write: RowWrite) -> WriteAnswer:
        """Send one conditional write, once."""
        action = "dynamodb:DeleteItem" if write.deletes else "dynamodb:UpdateItem"
        try:
            request = encode_write(write, table_name=self.name, wall=self._wall_clock())
            if request.operation == "DeleteItem":
                answer: Mapping[str, Any] = self._writes.delete_item(**request.parameters)
            else:
                answer = self._update_item(**request.parameters)
            self._count(answer, writes=True)
            if write.deletes:
                return Applied(None)
            return Applied(decode_row(_need(answer, "Attributes")))
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return self._refused(write.key, error)
            return failure(error, action)
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            return failure(error, action)

    def _refused(self, key: str, error: ClientError) -> Refused | Failure:
        """Return the row that did not pass the condition; read it if the answer has none."""
        answer = cast("Mapping[str, Any]", error.response)
        self._count(answer, writes=True)
        if answer.get("Item"):
            return Refused(decode_row(answer["Item"]))
        try:
            got: Mapping[str, Any] = self._writes.get_item(**get_request(self.name, key))
            self._count(got)
        except Exception as problem:  # noqa: BLE001 - as above
            # The condition failed, but against what is not known: the core has to find out.
            seen = failure(problem, "dynamodb:GetItem")
            return Failure(FailureKind.UNKNOWN, seen.action, seen.message)
        return Refused(decode_row(got["Item"]) if got.get("Item") else None)

    # -------------------------------------------------------------------------------------- reading

    def scan(self, *, consistent: bool) -> Iterator[tuple[Row, ...] | Failure]:
        """Read the whole table, page by page.

        Yields:
            The rows of each page. A failure, which is then the last: the scan is incomplete.
        """
        try:
            for items in self._pages(
                self._reads.scan,
                lambda start: scan_request(self.name, consistent=consistent, start=start),
            ):
                yield tuple(decode_row(item) for item in items)
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            yield failure(error, "dynamodb:Scan")

    def read_rows(self, keys: Sequence[str]) -> RowsFound:
        """Read these rows consistently."""
        wanted = tuple(dict.fromkeys(keys))
        rows: list[Row] = []
        absent: list[str] = []
        for first in range(0, len(wanted), KEYS_READ_MAX):
            found = self._read_batch(wanted[first : first + KEYS_READ_MAX])
            rows += found.rows
            absent += found.absent
            if found.failure is not None:
                return RowsFound(tuple(rows), tuple(absent), found.failure)
        return RowsFound(tuple(rows), tuple(absent))

    def _read_batch(self, keys: tuple[str, ...]) -> RowsFound:
        rows: dict[str, Row] = {}
        open_keys = keys
        problem: Failure | None = None
        for round_number in range(UNPROCESSED_ROUNDS_MAX):
            if round_number:
                self._sleep(UNPROCESSED_PAUSE_SECONDS * 2**round_number)
            try:
                request = read_request(self.name, open_keys)
                answer: Mapping[str, Any] = self._reads.batch_get_item(**request)
                self._count(answer)
                left = _unprocessed(answer, self.name)
                responses = _need(answer, "Responses")
                # A table of which nothing was processed may be left out; else that proves nothing.
                items = responses.get(self.name, ()) if left else _need(responses, self.name)
                rows |= {item[KEY]["S"]: decode_row(item) for item in items}
                open_keys = left
            except Exception as error:  # noqa: BLE001 - every exception has a meaning
                problem = failure(error, "dynamodb:BatchGetItem")
                break
            if not open_keys:
                break
        unknown = set(open_keys)
        absent = tuple(key for key in keys if key not in rows and key not in unknown)
        return RowsFound(tuple(rows.values()), absent, problem)

    def find_owned(self, owner: str) -> KeysFound:
        """Ask the index which leases name this owner."""
        keys: list[str] = []
        try:
            for items in self._pages(
                self._reads.query, lambda start: owned_request(self.name, owner, start=start)
            ):
                keys += [str(item[KEY]["S"]) for item in items]
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            return KeysFound(tuple(keys), failure(error, "dynamodb:Query"))
        return KeysFound(tuple(keys))

    def describe(self) -> TableSeen:
        """Ask which table this is now."""
        try:
            answer: Mapping[str, Any] = self._reads.describe_table(TableName=self.name)
            return TableSeen(table_id_of(_need(answer, "Table")))
        except Exception as error:  # noqa: BLE001 - every exception has a meaning
            if kind_of(error) is FailureKind.GONE:
                return TableSeen(None)
            return TableSeen(None, failure(error, "dynamodb:DescribeTable"))

    def _pages(
        self, call: Callable[..., Any], request: Callable[[Item | None], dict[str, Any]]
    ) -> Iterator[Sequence[Item]]:
        """Ask for page after page, and raise when one does not come."""
        start: Item | None = None
        for _ in range(PAGES_MAX):
            answer = call(**request(start))
            self._count(answer)
            yield _need(answer, "Items")
            start = _next_page(answer, start)
            if start is None:
                return
        raise UnparsableAnswerError(f"more than {PAGES_MAX} pages")

    def _count(self, answer: Mapping[str, Any], *, writes: bool = False) -> None:
        consumed = answer.get("ConsumedCapacity") or ()
        each = [consumed] if isinstance(consumed, Mapping) else consumed
        units = sum(float(entry.get("CapacityUnits") or 0) for entry in each)
        with self._lock:
            if writes:
                self._write_units += units
            else:
                self._read_units += units


def table_id_of(table: Mapping[str, Any]) -> str:
    """Return what is new for every creation of a table: its id, else ARN and creation time."""
    if table.get("TableId"):
        return str(table["TableId"])
    return f"{table['TableArn']}@{table['CreationDateTime'].timestamp():.3f}"


def _need(answer: Mapping[str, Any], member: str) -> Any:  # noqa: ANN401 - as boto3 answers
    """Return a member without which the answer proves nothing, least of all absence."""
    if answer.get(member) is None:
        raise UnparsableAnswerError(f"an answer without {member}")
    return answer[member]


def _next_page(answer: Mapping[str, Any], previous: Item | None) -> Item | None:
    start: Item | None = answer.get("LastEvaluatedKey") or None
    if start is not None and start == previous:
        raise UnparsableAnswerError("an answer that leads back to its own page")
    return start


def _unprocessed(answer: Mapping[str, Any], table_name: str) -> tuple[str, ...]:
    left = (answer.get("UnprocessedKeys") or {}).get(table_name) or {}
    return tuple(key[KEY]["S"] for key in left.get("Keys", ()))
