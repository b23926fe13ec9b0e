"""Which settings does a producer have, and which values are allowed?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, final

from kcl_py._config_checks import check_count, check_number
from kcl_py.errors import ConfigError

MIB: Final = 1024 * 1024
BATCH_RECORDS_MAX: Final = 500  # Source: PutRecords, Records.
BUFFER_BYTES_MIN: Final = 64 * 1024


@final
@dataclass(frozen=True, slots=True, kw_only=True)
class ProducerConfig:
    """Everything tunable of a producer that is plain data.

    Attributes:
        order: per_key: a record goes only once all earlier ones with its partition key were
            delivered or handed back. none: as fast as can be.
        aggregation: per_shard: pack records of one shard into one, in the format of the KPL.
        linger: Seconds that a record waits for others to share its request.
        batch_records: Most records of one request, 1 to 500.
        record_ttl: Seconds after `put` in which a record may be sent; then it is handed back. An
            answer that is under way by then still counts.
        attempts: How often a record is sent at most; None: until its time is over.
        buffer_bytes: Room for records that were accepted and are neither delivered nor taken
            back, with some hundred bytes for each besides data and key.
        when_full: What `put` does without room: wait for it, or raise BufferFull.
        put_timeout: Seconds that `put` waits for room, then it raises BufferFull; None: as long as
            it takes.
        records_per_second_per_shard: Send no faster; None: as fast as the service takes it.
            Aggregated records count as one.
        region: AWS region; None: as boto3 finds it.
        endpoint_url: Another address for Kinesis; None: as boto3 finds it.
    """

    order: Literal["none", "per_key"] = "none"
    aggregation: Literal["off", "per_shard"] = "off"
    linger: float = 0.1
    batch_records: int = 500
    record_ttl: float = 60.0
    attempts: int | None = None
    buffer_bytes: int = 64 * MIB
    when_full: Literal["block", "raise"] = "block"
    put_timeout: float | None = None
    records_per_second_per_shard: float | None = None
    region: str | None = None
    endpoint_url: str | None = None

    def __post_init__(self) -> None:
        _check_choice("order", self.order, ("none", "per_key"))
        _check_choice("aggregation", self.aggregation, ("off", "per_shard"))
        _check_choice("when_full", self.when_full, ("block", "raise"))
        check_number("linger", self.linger, low=0.0)
        check_count("batch_records", self.batch_records, low=1, high=BATCH_RECORDS_MAX)
        check_number("record_ttl", self.record_ttl, above=0.0)
        if self.linger >= self.record_ttl:
            raise ConfigError(
                f"linger = {self.linger:g} must be below record_ttl = {self.record_ttl:g}, or a "
                "record would be handed back before it is sent; lower the first"
            )
        if self.attempts is not None:
            check_count("attempts", self.attempts, low=1, hint="None is until record_ttl")
        check_count("buffer_bytes", self.buffer_bytes, low=BUFFER_BYTES_MIN)
        if self.put_timeout is not None:
            check_number("put_timeout", self.put_timeout, above=0.0)
        if self.records_per_second_per_shard is not None:
            check_number(
                "records_per_second_per_shard", self.records_per_second_per_shard, above=0.0
            )
        if self.endpoint_url is not None and not self.endpoint_url.startswith(
            ("http://", "https://")
        ):
            raise ConfigError(
                f"endpoint_url = {self.endpoint_url!r} must start with http:// or https://"
            )


def _check_choice(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        choices = " or ".join(repr(choice) for choice in allowed)
        raise ConfigError(f"{name} = {value!r} is unknown; use {choices}")
