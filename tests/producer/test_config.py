"""Are wrong settings of a producer named, and are all of them explained?"""

from __future__ import annotations

import pickle
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from kcl_py import ConfigError, ProducerConfig

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "produce.md"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"order": "per_shard"}, "order = 'per_shard' is unknown; use 'none' or 'per_key'"),
        ({"aggregation": "on"}, "use 'off' or 'per_shard'"),
        ({"when_full": "drop"}, "use 'block' or 'raise'"),
        ({"linger": -0.1}, "linger = -0.1"),
        ({"linger": 60.0}, "linger = 60 must be below record_ttl = 60"),
        ({"batch_records": 0}, "batch_records = 0"),
        ({"batch_records": 501}, "at most 500"),
        ({"record_ttl": 0.0}, "record_ttl = 0.0"),
        ({"record_ttl": float("inf")}, "record_ttl = inf"),
        ({"attempts": 0}, "None is until record_ttl"),
        ({"buffer_bytes": 1000}, "at least 65536"),
        ({"records_per_second_per_shard": 0}, "records_per_second_per_shard = 0"),
        ({"endpoint_url": "localhost:4567"}, "must start with http:// or https://"),
    ],
    ids=str,
)
def test_wrong_values_are_named(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        ProducerConfig(**settings)

    assert said in str(caught.value)


def test_it_pickles() -> None:
    config = ProducerConfig(order="per_key", attempts=3)

    assert pickle.loads(pickle.dumps(config)) == config


def test_every_setting_is_on_the_page() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert [field.name for field in fields(ProducerConfig) if f"`{field.name}`" not in text] == []
