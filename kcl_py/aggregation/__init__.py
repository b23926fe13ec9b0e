"""How are the user records of the KPL's aggregated records unpacked?

Without protobuf. Pure: bytes in, records out.
"""

from __future__ import annotations

from kcl_py.aggregation.hash_keys import HASH_KEY_MAX, hash_key
from kcl_py.aggregation.pages import (
    USER_RECORDS_MAX,
    Deaggregated,
    StrayPolicy,
    deaggregate,
    deaggregate_page,
)
from kcl_py.aggregation.unopened import Unopened, WhyUnopened
from kcl_py.aggregation.wire import MAGIC

__all__ = [
    "HASH_KEY_MAX",
    "MAGIC",
    "USER_RECORDS_MAX",
    "Deaggregated",
    "StrayPolicy",
    "Unopened",
    "WhyUnopened",
    "deaggregate",
    "deaggregate_page",
    "hash_key",
]
