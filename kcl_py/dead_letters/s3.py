"""How are dead letters kept in a bucket of S3? One object each, named after where the record was.

The same letter has the same name, so that writing it twice leaves one.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from kcl_py.dead_letters.codec import letter_id, letter_line
from kcl_py.errors import ConfigError
from kcl_py.letters import is_bucket_url

if TYPE_CHECKING:
    import boto3.session

    from kcl_py.aws.letters import Bucket
    from kcl_py.letters import DeadLetter


class S3DeadLetters:
    """Puts objects below a prefix: `PREFIX/APP/STREAM/SHARD/SEQUENCE-SUB-ID.json`.

    Needs `s3:PutObject`; and `s3:ListBucket`, `s3:GetObject`, `s3:DeleteObject` to redrive.
    """

    def __init__(self, url: str, *, session: boto3.session.Session | None = None) -> None:
        """Connect nothing.

        Args:
            url: `s3://bucket/prefix`.
            session: The client is made from it; None: the default chain of boto3.

        Raises:
            ConfigError: It is no such URL.
        """
        self._bucket = open_bucket(url, session)
        self._url = url

    def __repr__(self) -> str:
        return f"S3DeadLetters({self._url!r})"

    def write(self, letters: Sequence[DeadLetter]) -> None:
        """Return when the bucket has them.

        Raises:
            KclError: It may not have them all.
        """
        for letter in letters:
            self._bucket.put(key_of(self._bucket, letter), letter_line(letter))


def open_bucket(url: str, session: boto3.session.Session | None) -> Bucket:
    """Return a part of a bucket.

    Raises:
        ConfigError: It is no such URL.
    """
    if not is_bucket_url(url):
        raise ConfigError(f"{url!r} is no place in S3; use s3://bucket/prefix")
    from kcl_py.aws.letters import Bucket  # noqa: PLC0415 - boto3, only where there is a bucket

    return Bucket(url, session)


def key_of(bucket: Bucket, letter: DeadLetter, more: str = "") -> str:
    """Return the key of a letter; the same for the same letter, but for `more`."""
    record = letter.record
    place = f"{record.sequence_number}-{record.sub_sequence_number}-{letter_id(letter)}{more}.json"
    stream = letter.stream_arn.rpartition("/")[2]
    return bucket.key_of((letter.app_name, stream, letter.shard_id, place))
