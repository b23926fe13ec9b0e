"""What decides: no threads, no clock, no network; time and chance are handed in."""

from __future__ import annotations
