"""Which words may stand behind the flags of `kcl produce`?"""

from __future__ import annotations

from enum import StrEnum


class Format(StrEnum):
    """What the input is taken for."""

    AUTO = "auto"
    JSONL = "jsonl"
    JSON = "json"
    CSV = "csv"
    TEXT = "text"
    FAILED = "failed"


class Demo(StrEnum):
    """What may be made up."""

    USERS = "users"


class Order(StrEnum):
    """As of `ProducerConfig`."""

    NONE = "none"
    PER_KEY = "per_key"


class Aggregation(StrEnum):
    """As of `ProducerConfig`."""

    OFF = "off"
    PER_SHARD = "per_shard"
