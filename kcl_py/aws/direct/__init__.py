"""Calls that a worker makes all the time, over connections of its own; see ADR 0013."""

from __future__ import annotations
