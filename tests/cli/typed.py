"""What did a command return and say, and was it one clear line?"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Typed:
    """What a command returned and said."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines that say what went wrong."""
        return [line for line in self.err.splitlines() if line.startswith("error: ")]

    def failed(self, code: int, *words: str) -> bool:
        """One clear line with these words, this exit code, and no traceback."""
        assert self.code == code, self
        assert len(self.errors) == 1, self.err
        missing = [word for word in words if word not in self.errors[0]]
        assert not missing, (missing, self.errors[0])
        assert "Traceback" not in self.out + self.err
        return True


Kcl: TypeAlias = Callable[..., Typed]
