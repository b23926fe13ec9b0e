"""What must AWS allow to a worker, a producer, an operator, and somebody who only looks?"""

from __future__ import annotations

from kcl_py.iam.grants import GRANTS, Grant, Role, grants_of
from kcl_py.iam.policies import policy
from kcl_py.iam.scope import JAVA_SUFFIX, LEASE_INDEX, Needs, On, Scope

__all__ = [
    "GRANTS",
    "JAVA_SUFFIX",
    "LEASE_INDEX",
    "Grant",
    "Needs",
    "On",
    "Role",
    "Scope",
    "grants_of",
    "policy",
]
