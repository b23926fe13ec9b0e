"""Who owns which shard? The lease protocol: rows, sights, writes, plan, handoff."""

from __future__ import annotations
