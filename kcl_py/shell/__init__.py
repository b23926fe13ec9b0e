"""What runs the decisions of the core? Threads, queues and the clock; nothing is decided here."""

from __future__ import annotations
