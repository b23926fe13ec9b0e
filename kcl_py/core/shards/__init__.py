"""Which leases should exist? Lineage, shard sync, coverage, clean-up."""

from __future__ import annotations
