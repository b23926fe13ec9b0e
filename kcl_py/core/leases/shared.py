"""Which parts of the lease side do both the start and the stop use?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kcl_py.core.leases.balance import Balance
    from kcl_py.core.leases.membership import Membership
    from kcl_py.core.leases.requests import Requests
    from kcl_py.core.leases.scanner import Scanner
    from kcl_py.core.leases.taking import Taking


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """The parts that a worker's start and stop go through."""

    taking: Taking
    requests: Requests
    balance: Balance
    membership: Membership
    scanner: Scanner
