"""Which tokens does the text of an expression consist of?"""

from __future__ import annotations

import re

from kcl_py.local.dynamo.reserved import RESERVED_WORDS
from kcl_py.local.dynamo.syntax import Path, Placeholder
from kcl_py.local.errors import AwsError, invalid

_TOKEN = re.compile(
    r"\s*(?:(#[A-Za-z0-9_]+)|(:[A-Za-z0-9_]+)|([A-Za-z_][A-Za-z0-9_]*)|(\d+)|(<>|<=|>=|[=<>(),.\[\]+-]))",
    re.ASCII,
)
_ALIAS, _VALUE, _WORD, _NUMBER, _SIGN = range(1, 6)
_EXPRESSION_BYTES_MAX = 4096


class Tokens:
    """Reads one expression from left to right and remembers which placeholders it used."""

    def __init__(self, parameter: str, text: str) -> None:
        self.parameter = parameter
        self.aliases: set[str] = set()
        self.values: set[str] = set()
        self.last_group: tuple[int, int] | None = None
        self._tokens: list[tuple[int, str]] = []
        self._at = 0
        self._split(text)

    def _split(self, text: str) -> None:
        if not text.strip():
            raise self.wrong("the expression must not be empty")
        if len(text.encode()) > _EXPRESSION_BYTES_MAX:
            raise self.wrong(f"the expression is longer than {_EXPRESSION_BYTES_MAX} bytes")
        text = text.rstrip()
        at = 0
        while at < len(text):
            match = _TOKEN.match(text, at)
            if match is None or match.lastindex is None:
                raise self.wrong(f"syntax error near {text[at : at + 20].strip()!r}")
            self._tokens.append((match.lastindex, match[match.lastindex]))
            at = match.end()
        self._tokens.append((0, "the end"))

    def wrong(self, reason: str) -> AwsError:
        """The error that refuses this expression."""
        return invalid(f"Invalid {self.parameter}: {reason}")

    def unexpected(self) -> AwsError:
        """The error for a token that cannot stand here."""
        return self.wrong(f"syntax error at {self._tokens[self._at][1]!r}")

    def skip(self, sign: str) -> bool:
        """Pass over this sign if it is next."""
        if self._tokens[self._at] == (_SIGN, sign):
            self._at += 1
            return True
        return False

    def expect(self, sign: str) -> None:
        """Pass over this sign, which must be next."""
        if not self.skip(sign):
            raise self.unexpected()

    def skip_word(self, word: str) -> bool:
        """Pass over this keyword if it is next; case does not matter."""
        kind, text = self._tokens[self._at]
        if kind == _WORD and text.upper() == word:
            self._at += 1
            return True
        return False

    def skip_any(self, signs: tuple[str, ...]) -> str | None:
        """Pass over one of these signs if it is next."""
        kind, text = self._tokens[self._at]
        if kind == _SIGN and text in signs:
            self._at += 1
            return text
        return None

    def skip_function(self) -> str | None:
        """Pass over a name and its opening parenthesis if they are next."""
        kind, text = self._tokens[self._at]
        if kind == _WORD and self._tokens[self._at + 1] == (_SIGN, "("):
            self._at += 2
            return text
        return None

    @property
    def position(self) -> int:
        """How many tokens were read."""
        return self._at

    @property
    def at_end(self) -> bool:
        """Whether everything was read."""
        return self._tokens[self._at][0] == 0

    def value(self) -> Placeholder | None:
        """A value's placeholder if one is next."""
        kind, text = self._tokens[self._at]
        if kind != _VALUE:
            return None
        self._at += 1
        self.values.add(text)
        return Placeholder(text)

    def path(self) -> Path:
        """A document path, which must be next."""
        parts: list[str | int] = [self._name()]
        while True:
            if self.skip("."):
                parts.append(self._name())
            elif self.skip("["):
                parts.append(self._index())
            else:
                return Path(tuple(parts))

    def _name(self) -> str:
        kind, text = self._tokens[self._at]
        if kind == _ALIAS:
            self.aliases.add(text)
        elif kind != _WORD:
            raise self.unexpected()
        elif text.upper() in RESERVED_WORDS:
            raise self.wrong(f"{text} is a reserved word and needs an alias in this expression")
        self._at += 1
        return text

    def _index(self) -> int:
        kind, text = self._tokens[self._at]
        if kind != _NUMBER:
            raise self.unexpected()
        self._at += 1
        self.expect("]")
        return int(text)
