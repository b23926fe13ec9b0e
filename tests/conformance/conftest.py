"""Which engines do the conformance tests run against, and in what do they differ from AWS?

`embedded` is ours and always there. The others are named by environment variables that hold their
URL; an engine that is not running is skipped by name. What an engine is known to get wrong stands
in `DEVIATIONS` and is an expected failure there: when it gets it right one day, the test says so.
"""

from __future__ import annotations

import functools
import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config

from kcl_py.local.process import EngineProcess
from tests.skips import tell_skips

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_kinesis import KinesisClient

KINESIS_ENGINES = {
    "embedded": None,
    "kinesis-local": "KCL_TEST_KINESIS_LOCAL",
    "moto": "KCL_TEST_MOTO",
}
DYNAMODB_ENGINES = {
    "embedded": None,
    "dynamodb-local": "KCL_TEST_DYNAMODB_LOCAL",
    "moto": "KCL_TEST_MOTO",
}

DEVIATIONS = {
    "test_a_table_tells_what_it_is[dynamodb-local]": "gives no TableId",
    "test_a_bad_update_is_refused[dynamodb-local-index key type]": "takes it",
    "test_a_table_tells_what_it_is[moto]": "gives no TableId",
    "test_numbers_have_one_spelling[moto]": "keeps the client's spelling",
    "test_a_bad_update_is_refused[moto-39 digits]": "takes it",
    "test_a_bad_update_is_refused[moto-empty set]": "takes it",
    "test_a_bad_update_is_refused[moto-undefined name]": "answers 500",
    "test_conditions[moto-nowhere <> elsewhere OR leaseCounter < :one-True]": "absent = absent",
    "test_conditions[moto-leaseKey < :one-False]": "answers 500",
    "test_a_bad_condition_is_refused[moto-leaseKey = leaseKey AND a = :text]": "takes it",
    "test_a_bad_condition_is_refused[moto-a < :flag]": "takes it",
    "test_a_bad_condition_is_refused[moto-begins_with(a, :flag)]": "takes it",
    "test_a_bad_condition_is_refused[moto-attribute_type(a, :text)]": "takes it",
    "test_a_bad_condition_is_refused[moto-a BETWEEN :text AND :flag]": "takes it",
    "test_a_bad_condition_is_refused[moto-a BETWEEN :text AND :earlier]": "takes it",
    "test_a_bad_condition_is_refused[moto-shout(a, :text)]": "answers 500",
    "test_read_units[moto-100-True-1.0]": "counts 0.5 for every read",
    "test_read_units[moto-5000-True-2.0]": "counts 0.5 for every read",
    "test_read_units[moto-5000-False-1.0]": "counts 0.5 for every read",
    "test_write_units[moto-large]": "counts 1 for every write",
    "test_write_units[moto-indexed]": "counts 1 for every write",
    "test_an_invented_iterator_is_refused[kinesis-local]": "answers 500",
    "test_501_records_are_too_many[kinesis-local]": "takes them",
    "test_a_child_starts_above_its_parents_end[kinesis-local]": "ends a parent at 2^63 - 1",
    "test_a_listing_can_be_filtered[kinesis-local-AT_TRIM_HORIZON-]": "lists later children too",
    "test_sequence_numbers_have_56_digits[moto]": "counts 1, 2, ... in every shard",
    "test_a_shard_takes_both_ends_of_its_range[moto]": "answers 500 for the last key",
    "test_an_invented_iterator_is_refused[moto]": "answers 500",
    "test_a_record_beyond_the_limits_is_refused[moto-size]": "takes it",
    "test_a_page_of_10001_records_is_refused[moto]": "takes it",
    "test_shards_are_listed_in_pages[moto]": "refuses its own token",
    "test_a_token_excludes_a_name[moto]": "takes both",
    "test_a_listing_can_start_behind_a_shard[moto]": "ignores ExclusiveStartShardId",
    "test_a_split_shard_ends_and_names_its_children[moto]": "never ends a shard",
    "test_merged_shards_end_in_one_child[moto]": "never ends a shard",
    "test_a_child_starts_above_its_parents_end[moto]": "starts and ends every shard at 0",
    "test_a_split_shard_ends_with_its_children[moto-direct]": "never ends a shard",
    "test_a_split_shard_ends_with_its_children[moto-botocore]": "never ends a shard",
    "test_a_listing_can_be_filtered[moto-AT_LATEST-]": "ignores ShardFilter",
    "test_a_listing_can_be_filtered[moto-AT_TRIM_HORIZON-]": "ignores ShardFilter",
    "test_a_listing_can_be_filtered[moto-AFTER_SHARD_ID-]": "ignores ShardFilter",
    "test_a_stream_with_consumers_is_not_deleted_by_the_way[kinesis-local]": "refuses, and deletes",
    "test_records_are_pushed[kinesis-local]": "sends no initial-response",
    "test_a_second_subscription_comes_too_soon[kinesis-local]": "sends no initial-response",
    "test_a_closed_shard_ends_with_its_children[kinesis-local]": "sends no initial-response",
    "test_shards_are_scaled_to_equal_ones[kinesis-local-[3]]": "makes one twice as large",
    "test_shards_are_scaled_to_equal_ones[kinesis-local-[4, 6, 3]]": "makes one twice as large",
    "test_a_consumer_tells_what_it_is[moto]": "its ARN has no time",
    "test_a_consumer_is_registered_once[moto]": "takes it twice",
    "test_a_stream_with_consumers_is_not_deleted_by_the_way[moto]": "deletes it",
    "test_records_are_pushed[moto]": "answers 500",
    "test_a_second_subscription_comes_too_soon[moto]": "answers 500",
    "test_a_closed_shard_ends_with_its_children[moto]": "answers 500",
    "test_tags_are_one_set_for_both_families[moto]": "answers 500",
    "test_fifty_one_tags_are_too_many[moto]": "takes them",
    "test_all_metrics_are_named_one_by_one[moto]": "shows ALL",
    "test_encryption_starts_and_stops[moto]": "does not tell of it in PutRecord",
    "test_shards_are_scaled_to_equal_ones[moto-[3]]": "makes one twice as large",
    "test_shards_are_scaled_to_equal_ones[moto-[3, 2]]": "makes one three times as large",
    "test_shards_are_scaled_to_equal_ones[moto-[4, 6, 3]]": "makes one twice as large",
    "test_more_than_double_is_too_far[moto]": "takes it",
    "test_the_size_of_records_can_be_raised[moto]": "answers 500",
    "test_an_account_has_limits[moto]": "counts no shards",
}
"""Test -> what the engine does instead. Of DynamoDB Local 3.x, kinesis-local 0.6.2, moto 5.2.5."""

_names = itertools.count()


@pytest.fixture(scope="session")
def embedded_url() -> Iterator[str]:
    with EngineProcess("--no-limits", "--transition-seconds", "0.01") as engine:
        yield engine.endpoint_url
    _make_client.cache_clear()


@pytest.fixture
def moto_url() -> str:
    """Where moto is, for services that nobody else here plays."""
    url = os.environ.get("KCL_TEST_MOTO")
    if not url:
        why = "moto is not running: KCL_TEST_MOTO is not set"
        pytest.skip(why)
    return url


@pytest.fixture(params=sorted(KINESIS_ENGINES))
def kinesis_client(request: pytest.FixtureRequest) -> Iterator[KinesisClient]:
    yield from _client(request, "kinesis", KINESIS_ENGINES[request.param])


@pytest.fixture(params=sorted(DYNAMODB_ENGINES))
def dynamodb_client(request: pytest.FixtureRequest) -> Iterator[DynamoDBClient]:
    yield from _client(request, "dynamodb", DYNAMODB_ENGINES[request.param])


def _client(request: pytest.FixtureRequest, service: Any, variable: str | None) -> Iterator[Any]:
    url = request.getfixturevalue("embedded_url") if variable is None else os.environ.get(variable)
    if not url:
        pytest.skip(f"{request.param} is not running: {variable} is not set")
    deviation = DEVIATIONS.get(request.node.name)
    if deviation is not None:
        request.applymarker(pytest.mark.xfail(reason=deviation, strict=True))
    yield _make_client(service, url)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name every engine that was left out, in one line each."""
    tell_skips(terminalreporter, Path(__file__).parent)


@functools.cache
def _make_client(service: Any, url: str) -> Any:
    """One client per engine and service: making it takes longer than most tests."""
    return boto3.client(
        service,
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30),
    )


@pytest.fixture
def new_name() -> str:
    return f"conformance-{os.getpid()}-{next(_names)}"
