"""Why is a record that looks aggregated delivered as it is?"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class WhyUnopened(StrEnum):
    """What is wrong with a record that begins with the magic of the format.

    Attributes:
        TOO_SHORT: There is no room for a message between magic and digest.
        WRONG_DIGEST: The last 16 bytes are not the MD5 of what is before them: cut, damaged, or
            the user's own data, which begin so by chance.
        MALFORMED: The digest is right, but the message cannot be read, or a field that must be
            there is not.
        NOT_UTF8: A key, or a text of a tag, is no UTF-8.
        NO_SUCH_KEY: A user record points past the end of a table of keys.
        EMPTY: The message can be read, and holds no user record.
        TOO_MANY: More user records, or more keys in a table, than the caller allows.
    """

    TOO_SHORT = "too_short"
    WRONG_DIGEST = "wrong_digest"
    MALFORMED = "malformed"
    NOT_UTF8 = "not_utf8"
    NO_SUCH_KEY = "no_such_key"
    EMPTY = "empty"
    TOO_MANY = "too_many"


@dataclass(frozen=True, slots=True)
class Unopened:
    """One record that looks aggregated and was delivered as it is.

    Attributes:
        sequence_number: Where it is; its data and key are nowhere in here.
    """

    sequence_number: str
    why: WhyUnopened


class UnopenedError(Exception):
    """Inside this room only: the record cannot be opened."""

    def __init__(self, why: WhyUnopened) -> None:
        super().__init__(why.value)
        self.why = why
