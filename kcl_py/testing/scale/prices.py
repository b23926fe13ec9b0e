"""What does a month of reads and writes cost?"""

from __future__ import annotations

WRITE_UNITS_MILLION_USD = 0.625
READ_UNITS_MILLION_USD = 0.125
"""On demand, us-east-1. The list price since November 2024 as the project's notes state it; not
looked up again. Storage, backups and traffic are left out."""

MONTH_SECONDS = 730 * 3600.0


def month_usd(reads: float, writes: float) -> float:
    """Return the price of so many read and write units per second, US dollars a month."""
    usd = reads * READ_UNITS_MILLION_USD + writes * WRITE_UNITS_MILLION_USD
    return usd * MONTH_SECONDS / 1_000_000
