"""Which sink does a policy name? A sink, a function, or a URL."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from kcl_py.dead_letters.json_lines import JsonLinesDeadLetters
from kcl_py.dead_letters.s3 import S3DeadLetters
from kcl_py.dead_letters.sqs import SqsDeadLetters
from kcl_py.errors import ConfigError
from kcl_py.letters import DeadLetter, DeadLetterSink, LettersGoTo, parse_letters_url

if TYPE_CHECKING:
    import boto3.session


def open_sink(
    letters: LettersGoTo, *, session: boto3.session.Session | None
) -> Callable[[Sequence[DeadLetter]], object]:
    """Return what writes letters; it returns once they are durable. Nothing is connected.

    Args:
        letters: As in the policy.
        session: Clients of what a URL names are made from it.

    Raises:
        ConfigError: A URL that is none, or a file in a directory that is not there.
    """
    if isinstance(letters, str):
        return _of_url(letters, session).write
    write = getattr(letters, "write", letters)
    return cast("Callable[[Sequence[DeadLetter]], object]", write)


def _of_url(url: str, session: boto3.session.Session | None) -> DeadLetterSink:
    address = parse_letters_url(url)
    match address.kind:
        case "file":
            folder = Path(address.place).parent
            if not os.access(folder, os.W_OK | os.X_OK):
                raise ConfigError(
                    f"on_error.dead_letters = {url!r}: {folder} is no directory that this process "
                    "may write to; make it, or name another"
                )
            return JsonLinesDeadLetters(address.place)
        case "s3":
            return S3DeadLetters(address.place, session=session)
        case "sqs":
            large = address.large_to_s3
            return SqsDeadLetters(address.place, large_to_s3=large, session=session)
