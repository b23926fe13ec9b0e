"""Which streams are there, how are they changed, and what is in them?"""

from __future__ import annotations
