"""Which AWS account do the flags mean?"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kcl_py.cli.options import Shared

if TYPE_CHECKING:
    import boto3.session


def make_session(shared: Shared) -> boto3.session.Session:
    """A session of `--profile`, or of the default chain of boto3.

    Raises:
        ConfigError: There is no such profile.
    """
    from kcl_py.aws import tools

    return tools.make_session(shared.profile)
