"""What does every benchmark share? How thorough to be, where to put things, whom to tell."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PEERS: Final = Path(__file__).resolve().parents[2] / ".bench"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One run of `python -m tests.bench`.

    Attributes:
        quick: A first look: few rounds, short ones.
        folder: For files of this run; gone after it.
        tls: Folder with cert.pem and key.pem for 127.0.0.1; None: there is no openssl here.
        say: Told how far it is.
        peers: Folder of the environments of peers, which outlive a run.
    """

    quick: bool
    folder: Path
    tls: Path | None
    say: Callable[[str], None]
    peers: Path = PEERS

    def rounds(self, thorough: int = 5) -> int:
        """Return how many rounds to run."""
        return 2 if self.quick else thorough
