"""What should this worker do next? Pure decisions: `receive(now, event)` gives commands."""

from __future__ import annotations
