"""Which sink does a policy name? A sink, a function, or a URL."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, cast

from kcl_py.dead_letters.json_lines import JsonLinesDeadLetters
from kcl_py.letters import DeadLetter, LettersGoTo, parse_letters_url

if TYPE_CHECKING:
    import boto3.session


def open_sink(
    letters: LettersGoTo, *, session: boto3.session.Session | None, region: str | None
) -> Callable[[Sequence[DeadLetter]], object]:
    """Return what writes letters; it returns once they are durable.

    Raises:
        ConfigError: A URL that is none.
    """
    if isinstance(letters, str):
        return _of_url(letters, session=session, region=region)
    write = getattr(letters, "write", letters)
    return cast("Callable[[Sequence[DeadLetter]], object]", write)


def _of_url(
    url: str, *, session: boto3.session.Session | None, region: str | None
) -> Callable[[Sequence[DeadLetter]], object]:
    address = parse_letters_url(url)
    del session, region
    return JsonLinesDeadLetters(address.place).write
