"""How do programs written for boto3_batch_utils put records? The same interface, on a Producer.

Written from how that library behaves, not from its code. Where it loses or repeats records this one
does not; docs/how-to/migrate-from-boto3-batch-utils.md lists every difference.
"""

from __future__ import annotations

import threading
from typing import Any

from kcl_py._config_checks import check_count
from kcl_py.errors import RecordRefused
from kcl_py.producer.config import BATCH_RECORDS_MAX, ProducerConfig
from kcl_py.producer.deliveries import ThreadDelivery
from kcl_py.producer.encoding import encode_json
from kcl_py.producer.opening import Opened, fill, open_producer

__all__ = ["KinesisBatchDispatcher"]


class KinesisBatchDispatcher:
    """The interface of boto3_batch_utils on a Producer.

    Differences are listed in the migration guide. Thread-safe.
    """

    def __init__(
        self,
        stream_name: str,
        partition_key_identifier: str | None = None,
        max_batch_size: int = 250,
        **client_kwargs: Any,  # noqa: ANN401 - whatever boto3.client takes
    ) -> None:
        """Connect nothing; the client is made by the first payload.

        Args:
            stream_name: Where to.
            partition_key_identifier: Field of a payload that is its partition key; None: random.
            max_batch_size: Records of one request, 1 to 500.
            client_kwargs: For `boto3.client("kinesis", ...)`.

        Raises:
            ConfigError: `max_batch_size` is not allowed (a ValueError, as in the original).
        """
        check_count("max_batch_size", max_batch_size, low=1, high=BATCH_RECORDS_MAX)
        self.stream_name = stream_name
        self.partition_key_identifier = partition_key_identifier
        self.max_batch_size = max_batch_size
        self._client_kwargs = client_kwargs
        self._opened: Opened | None = None
        self._opening = threading.Lock()

    def __str__(self) -> str:
        return f"KinesisBatchDispatcher::{self.stream_name}"

    def submit_payload(self, payload: Any) -> None:  # noqa: ANN401 - any JSON value
        """Queue one payload; it is sent with others soon, at the latest by `flush_payloads`.

        Raises:
            RecordRefused: Too large, not serializable, or no usable partition key in it.
            KeyError, TypeError: It has no such field, or no fields.
        """
        key = None
        if self.partition_key_identifier:
            key = str(payload[self.partition_key_identifier])
        # A text is JSON here too, in quotes; bytes have none and are refused.
        if isinstance(payload, bytes | bytearray | memoryview):
            raise RecordRefused("bytes have no JSON; use a Producer, which puts them as they are")
        data = encode_json(payload)
        opened = self._opened or self._open()
        item: ThreadDelivery = fill(ThreadDelivery, opened, data, key, None)
        item.tag = payload
        if item.size > opened.size_free:
            opened.check_size(item.size)
        opened.engine.put_waiting(item)

    def flush_payloads(self) -> list[Any]:
        """Send everything.

        Returns:
            The payloads that could not be delivered since the last flush, as submitted.
        """
        opened = self._opened
        if opened is None:
            return []
        return [kept.tag for kept in opened.engine.flush(None)]

    def _open(self) -> Opened:
        with self._opening:
            if self._opened is None:
                self._opened = open_producer(
                    self.stream_name,
                    config=ProducerConfig(batch_records=self.max_batch_size),
                    encoder=None,
                    on_failure=None,
                    session=None,
                    client_arguments=self._client_kwargs,
                    how_to_end="call flush_payloads at the end",
                )
            return self._opened
