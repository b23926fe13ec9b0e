"""What happens to one shard while we own it? Reading, delivery, progress, end."""

from __future__ import annotations
