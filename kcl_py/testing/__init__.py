"""What can a user test with? A simulated world, and small doubles for unit tests."""

from __future__ import annotations
