"""What is a contender to read? Known to every contender, in whatever environment it runs.

Only the standard library is imported here: peers have environments of their own.
"""

from __future__ import annotations

import argparse
import os
from typing import Final

from tests.bench.meter import Meter

WARM_PART: Final = 10
"""One page in so many, at least one, comes before measuring begins."""


class Task:
    """What is to be read, and from where.

    Attributes:
        pages: Of each shard.
        records: In each page.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.endpoint_url: str | None = os.environ.get("AWS_ENDPOINT_URL")
        self.shards: int = options.shards
        self.pages: int = options.pages
        self.records: int = options.records
        self.record_bytes: int = options.record_bytes
        self.total_pages = self.shards * self.pages
        self.meter = Meter(
            warm=max(1, self.total_pages // WARM_PART) * self.records,
            total=self.total_pages * self.records,
        )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what a task is made of."""
    parser.add_argument("--shards", type=int, default=1)
    parser.add_argument("--pages", type=int, required=True, help="of each shard")
    parser.add_argument("--records", type=int, required=True, help="in each page")
    parser.add_argument("--record-bytes", type=int, default=100)
