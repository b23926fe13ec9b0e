"""What may somebody do to an application from outside? Looking and repair, without a worker.

What is decided is in pure functions; what is written follows the lease protocol (`core/leases`).
"""

from __future__ import annotations
