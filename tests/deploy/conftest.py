"""What is made once for several files of tests here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.moto_front import front_of
from tests.deploy.pages import Pages
from tests.deploy.terraform import MOTO, Terraform


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """The blocks of the how-to pages, planned."""
    assert MOTO is not None
    made = Pages(MOTO, terraform=Terraform(tmp_path_factory.mktemp("pages")))
    with front_of(MOTO) as front:
        made.write(front)
        yield made
