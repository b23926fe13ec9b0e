"""Is every signature the one that botocore would make?"""

from __future__ import annotations

import string
from datetime import UTC, datetime
from typing import NamedTuple
from unittest import mock

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given
from hypothesis import strategies as st

from kcl_py.aws.direct.signing import Signer

PLAIN = st.text(string.ascii_letters + string.digits + "/+=.-_", min_size=1, max_size=60)
NAMES = st.text(string.ascii_lowercase + string.digits + "-", min_size=1, max_size=20)
HOSTS = st.sampled_from(
    [
        ("https://kinesis.eu-west-1.amazonaws.com/", "kinesis.eu-west-1.amazonaws.com"),
        ("https://dynamodb.eu-west-1.amazonaws.com:443/", "dynamodb.eu-west-1.amazonaws.com"),
        ("http://localhost:4567/", "localhost:4567"),
        ("http://127.0.0.1:80/", "127.0.0.1"),
        ("https://127.0.0.1:80/", "127.0.0.1:80"),
        ("http://[::1]:4567/", "[::1]:4567"),
    ]
)


class Frozen(NamedTuple):
    """Credentials as botocore freezes them."""

    access_key: str
    secret_key: str
    token: str | None


KEYS = st.builds(Frozen, PLAIN, PLAIN, st.none() | PLAIN)
TIMES = st.integers(0, 4_102_444_800)


def botocore_signs(
    url: str, keys: Frozen, scope: tuple[str, str], body: bytes, now: float
) -> dict[str, str]:
    request = AWSRequest(
        "POST",
        url,
        headers={"X-Amz-Target": "Kinesis_20131202.GetRecords", "Content-Type": "json"},
        data=body,
    )
    region, service = scope
    # It has no parameter for the time, and its clock moved between releases.
    moment = datetime.fromtimestamp(now, UTC)
    with (
        mock.patch("botocore.auth.get_current_datetime", create=True, return_value=moment),
        mock.patch("botocore.auth.datetime", create=True) as clock,
    ):
        clock.datetime.utcnow.return_value = moment
        SigV4Auth(ReadOnlyCredentials(*keys), service, region).add_auth(request)
    return dict(request.headers.items())


@given(HOSTS, KEYS, NAMES, NAMES, st.binary(max_size=200), TIMES)
def test_every_signature_is_botocores(
    place: tuple[str, str],
    keys: Frozen,
    region: str,
    service: str,
    body: bytes,
    now: float,
) -> None:
    url, host = place
    signer = Signer(
        host=host,
        region=region,
        service=service,
        content_type="json",
        target="Kinesis_20131202.GetRecords",
    )

    lines = signer.headers(keys, body, now).split("\r\n")

    wanted = botocore_signs(url, keys, (region, service), body, now)
    assert lines.pop() == ""
    got = dict(line.split(": ", 1) for line in lines)
    assert got == {name: wanted[name] for name in wanted if name in got}
    assert got.keys() == wanted.keys() - {"X-Amz-Target", "Content-Type"}


@given(KEYS, st.lists(st.tuples(st.integers(0, 3), TIMES), min_size=1, max_size=6))
def test_a_kept_key_is_never_used_for_another_day_or_secret(
    keys: Frozen, calls: list[tuple[int, int]]
) -> None:
    def fresh() -> Signer:
        return Signer(host="h", region="r", service="s", content_type="c", target="t")

    kept = fresh()

    for secret, now in calls:
        now_keys = keys._replace(secret_key=f"secret-{secret}")
        assert kept.headers(now_keys, b"{}", now) == fresh().headers(now_keys, b"{}", now)


@pytest.mark.parametrize("bad", ["a\r\nX-Evil: 1", "a b", "a\x00", "ü"])
def test_credentials_that_would_end_a_header_are_refused_without_being_shown(bad: str) -> None:
    signer = Signer(host="h", region="r", service="s", content_type="c", target="t")

    for keys in (
        Frozen(bad, "secret", None),
        Frozen("key", "secret", bad),
    ):
        with pytest.raises(ValueError, match="cannot stand in a header") as caught:
            signer.headers(keys, b"{}", 0.0)
        assert bad not in str(caught.value)
