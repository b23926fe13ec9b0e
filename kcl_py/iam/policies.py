"""What is the policy of a role?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from kcl_py.errors import ConfigError
from kcl_py.iam.grants import Grant, Role, grants_of
from kcl_py.iam.scope import Scope

VERSION: Final = "2012-10-17"
"""Of the policy language; there is no newer one."""

_LEASELESS: Final = frozenset({Role.PRODUCER})


def policy(role: Role, scope: Scope) -> Mapping[str, Any]:
    """Make the policy document of a role.

    Raises:
        ConfigError: No lease table is named, and the role uses it.
    """
    if role not in _LEASELESS and scope.table is None:
        raise ConfigError(f"the policy of {role} names the lease table; give --app NAME")
    return {
        "Version": VERSION,
        "Statement": [_statement(grant, scope) for grant in grants_of(role, scope)],
    }


def _statement(grant: Grant, scope: Scope) -> Mapping[str, Any]:
    arn = scope.arn(grant.on)
    assert arn is not None
    statement: dict[str, Any] = {
        "Sid": grant.sid,
        "Effect": "Allow",
        "Action": sorted(grant.actions),
        "Resource": arn,
    }
    condition = scope.condition(grant.on, grant.needs)
    return statement if condition is None else {**statement, "Condition": condition}
