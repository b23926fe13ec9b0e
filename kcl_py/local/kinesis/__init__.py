"""What would Kinesis Data Streams answer? A pure model: time and randomness are handed in."""

from __future__ import annotations

from kcl_py.local.kinesis.api import Kinesis
from kcl_py.local.kinesis.settings import KinesisSettings

__all__ = ["Kinesis", "KinesisSettings"]
