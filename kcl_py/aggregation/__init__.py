"""How are many user records packed into one record, and how are they unpacked?

The record format of the KPL, both ways, without protobuf. Pure: bytes in, bytes out.
"""

from __future__ import annotations

from kcl_py.aggregation.aggregate import (
    HASH_KEY_BYTES_MAX,
    USER_RECORD_BYTES_MAX,
    Aggregate,
    aggregate_all,
)
from kcl_py.aggregation.hash_keys import HASH_KEY_MAX, hash_key
from kcl_py.aggregation.pages import (
    USER_RECORDS_MAX,
    Deaggregated,
    StrayPolicy,
    deaggregate,
    deaggregate_page,
)
from kcl_py.aggregation.unopened import Unopened, WhyUnopened
from kcl_py.aggregation.wire import FRAME_BYTES, MAGIC

__all__ = [
    "FRAME_BYTES",
    "HASH_KEY_BYTES_MAX",
    "HASH_KEY_MAX",
    "MAGIC",
    "USER_RECORDS_MAX",
    "USER_RECORD_BYTES_MAX",
    "Aggregate",
    "Deaggregated",
    "StrayPolicy",
    "Unopened",
    "WhyUnopened",
    "aggregate_all",
    "deaggregate",
    "deaggregate_page",
    "hash_key",
]
