"""Which image do all tests of one run share? It takes a minute to build."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deploy.image import Buildah, Image


@pytest.fixture(scope="session")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    made = Buildah(tmp_path_factory.mktemp("images"))
    made.make_base()
    yield made
    made.close()


@pytest.fixture(scope="session")
def image(buildah: Buildah) -> Image:
    return buildah.make("example")
