"""How do records get into a stream? Batches, retries of what failed, and all else handed back."""

from __future__ import annotations
