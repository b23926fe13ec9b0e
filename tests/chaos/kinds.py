"""Which kinds of processors are there under chaos?"""

from __future__ import annotations

from typing import Final

KINDS: Final = (
    "steady",
    "whole-batch",
    "raising",
    "slow",
    "buffering",
    "two-phase",
    "async",
)
"""See `processors` for what each does."""
