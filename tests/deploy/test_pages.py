"""Do the commands and Dockerfiles of the pages about deploying work as they are written?

`docker` is buildah here, and `aws` is the AWS CLI with moto behind it; what is typed comes from the
page. HCL is applied in `test_terraform.py`, `docker compose` run in `test_compose_runs.py`, and the
unit installed by hand in `test_systemd_runs.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.files import COMPOSE, DEPLOY, ROOT, ran
from tests.deploy.image import Buildah, Container, Image, why_not
from tests.deploy.pages import PAGES, Account, blocks
from tests.deploy.terraform import MOTO, needs_moto
from tests.docs.pages import DOCS, EXAMPLES, Claim, blocks_of, name_of

AWS_CLI: Final = os.environ.get("KCL_TEST_AWS_CLI")
DIGEST: Final = "0" * 64
REGISTRY: Final = "registry.example"
STACKS: Final = {"deploy-on-ecs": ("-table", "", "-alarms"), "deploy-on-ec2": ("-table", "")}
"""That a page makes, by the end of their names."""

DOCKER: Final = """\
#!/bin/sh
# build and push, as buildah knows them; what is pushed goes to a file, since there is no registry.
verb=$1
shift
case $verb in
build)
    ignored=
    if [ "$1" = -f ] && [ -f "$2.dockerignore" ]; then ignored="--ignorefile=$2.dockerignore"; fi
    exec {buildah} bud --pull-never --format docker --layers $ignored "$@"
    ;;
push) exec {buildah} push -q "$1" "docker-archive:{pushed}:$1" ;;
esac
exit 64
"""

needs_cli = pytest.mark.skipif(AWS_CLI is None, reason="aws-cli: KCL_TEST_AWS_CLI is not set")
needs_image = pytest.mark.skipif(why_not() is not None, reason=f"image: {why_not()}")


class Desk:
    """A clone of this repository, with a program of the reader's beside it, and a shell."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.programs = folder / "clone", folder / "bin"
        self.programs.mkdir()
        leave = shutil.ignore_patterns("__pycache__", ".terraform*")
        for name in ("deploy", "kcl_py"):
            shutil.copytree(ROOT / name, self.folder / name, ignore=leave)
        for name in ("pyproject.toml", "README.md", "LICENSE", "docs/examples/people.py"):
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.folder / name)
        self.program = self.folder / "path" / "to" / "your" / "program"
        self.program.mkdir(parents=True)
        text = (EXAMPLES / "people.py").read_text(encoding="utf-8")
        assert "class Greeter" in text
        orders = text.replace("class Greeter", "class Orders")
        (self.program / "orders.py").write_text(orders, encoding="utf-8")

    def put(self, name: str, script: str) -> None:
        """A command of this name."""
        program = self.programs / name
        program.write_text(script, encoding="utf-8")
        program.chmod(0o755)

    def type(self, text: str, **environment: str) -> str:
        """Run a block in the clone; every command of it has to succeed."""
        done = ran(
            ["bash", "-euo", "pipefail", "-c", text],
            cwd=self.folder,
            env={**os.environ, "PATH": f"{self.programs}:{os.environ['PATH']}", **environment},
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def block(page: str, kind: str, start: str) -> str:
    [found] = [each for each in blocks(page, kind) if each.startswith(start)]
    return found


OWN_IMAGES: Final = ("FROM kcl-py\nCOPY", "FROM kcl-py\nUSER")
"""A program, and one with packages of its own."""

TYPED: Final = (
    *(("deploy-on-ecs", "dockerfile", start) for start in OWN_IMAGES),
    ("deploy-on-ecs", "sh", "docker build"),
    ("deploy-on-ecs", "sh", "aws cloudformation"),
    ("deploy-on-ec2", "sh", "pip wheel"),
    ("deploy-on-ec2", "sh", "aws cloudformation"),
    ("observe", "dockerfile", ""),
)
"""Page, kind and beginning of the blocks that are run here."""


def claimed_blocks() -> Iterator[Claim]:
    """See `tests.docs.pages.Claim`."""
    for page, kind, start in TYPED:
        path = DOCS / "how-to" / f"{page}.md"
        text = block(page, kind, start)
        [number] = [each.number for each in blocks_of(path) if each.text == text]
        yield name_of(path), number


# --------------------------------------------------------------------------------------------- AWS


@pytest.fixture
def account(desk: Desk) -> Account:
    """An account that `aws` speaks to."""
    assert MOTO is not None
    desk.put("aws", f'#!/bin/sh\nexec "{AWS_CLI}" "$@"\n')
    return Account(MOTO)


def who(account: Account) -> dict[str, str]:
    """What leads the CLI to it, and to nobody else."""
    return {
        "AWS_ENDPOINT_URL": account.moto,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


@needs_moto
@needs_cli
@pytest.mark.deploy
@pytest.mark.parametrize("page", PAGES)
def test_stacks_are_deployed(desk: Desk, account: Account, page: str) -> None:
    stack = f"orders-{account.mark}"
    text = account.filled(page, block(page, "sh", "aws cloudformation"))
    for placeholder, value in (
        ("--stack-name orders", f"--stack-name {stack}"),
        ("REGISTRY", REGISTRY),
        ("DIGEST", DIGEST),
    ):
        text = text.replace(placeholder, value)

    desk.type(text, **who(account))
    formation = account.client("cloudformation")
    for end in STACKS[page]:
        [made] = formation.describe_stacks(StackName=f"{stack}{end}")["Stacks"]
        assert made["StackStatus"] == "CREATE_COMPLETE"
        parameters = {each["ParameterKey"]: each["ParameterValue"] for each in made["Parameters"]}
        assert parameters["AppName"] == account.app(page)
    tables = account.client("dynamodb").list_tables()["TableNames"]
    assert account.app(page) in tables


@needs_moto
@needs_cli
@pytest.mark.deploy
def test_what_an_instance_fetches_is_laid_out(desk: Desk, account: Account) -> None:
    desk.put("pip", f'#!/bin/sh\nexec "{sys.executable}" -m pip "$@"\n')
    text = account.filled("deploy-on-ec2", block("deploy-on-ec2", "sh", "pip wheel"))
    s3, bucket = account.client("s3"), f"bucket-{account.mark}"
    place = {"LocationConstraint": "eu-west-1"}
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration=place)

    desk.type(text, **who(account))
    keys = {each["Key"] for each in s3.list_objects_v2(Bucket=bucket)["Contents"]}
    wheels = {key for key in keys if key.startswith("orders/1/wheels/") and key.endswith(".whl")}
    assert keys - wheels == {"orders/1/app/orders.py", "orders/1/kcl@.service"}
    names = {key.rpartition("/")[2].partition("-")[0].lower() for key in wheels}
    pinned = {
        line.partition("==")[0].lower().replace("-", "_")
        for line in (DEPLOY / "constraints.txt").read_text(encoding="utf-8").splitlines()
        if not line.startswith("#")
    }
    assert "kcl_py" in names
    assert names - {"kcl_py"} <= pinned


# ------------------------------------------------------------------------------------------ images


def start(image: Image, service: dict[str, Any]) -> Container:
    return image.start(
        service["command"],
        entrypoint=service.get("entrypoint"),
        environment=service.get("environment"),
    )


def start_as_built(image: Image, service: dict[str, Any]) -> Container:
    """Its own command, told where the engine is."""
    return image.start(environment=service["environment"])


@pytest.fixture
def services() -> dict[str, Any]:
    """The services of the fleet of compose, on a port that is free here."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    text = COMPOSE.read_text(encoding="utf-8").replace("4567", port)
    found: dict[str, Any] = yaml.safe_load(text)["services"]
    return found


@pytest.fixture
def engine(image: Image, services: dict[str, Any]) -> Iterator[None]:
    """An engine with a stream and a producer."""
    with start(image, services["engine"]) as opened:
        opened.wait_for("endpoint_url")
        with start(image, services["stream"]) as stream:
            assert stream.end() == 0, stream.lines
        with start(image, services["producer"]) as producer:
            yield
            assert producer.stop() == 0, producer.lines
        assert opened.stop() == 0, opened.lines


@needs_image
@pytest.mark.deploy
@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("start_of_it", OWN_IMAGES)
def test_an_image_of_yours_is_built_pushed_and_drains(
    desk: Desk, buildah: Buildah, services: dict[str, Any], start_of_it: str
) -> None:
    dockerfile = block("deploy-on-ecs", "dockerfile", start_of_it)
    has_packages = "requirements.txt" in dockerfile
    (desk.program / "Dockerfile").write_text(dockerfile, encoding="utf-8")
    (desk.program / "requirements.txt").write_text("idna\n", encoding="utf-8")
    pushed = desk.folder / "pushed.tar"
    place = f"buildah --root {buildah.folder / 'root'} --runroot {buildah.folder / 'run'}"
    desk.put("docker", DOCKER.format(buildah=place, pushed=pushed))
    text = block("deploy-on-ecs", "sh", "docker build").replace("REGISTRY", REGISTRY)

    desk.type(text, BUILDAH_ISOLATION="chroot")
    assert pushed.stat().st_size > 0
    made = buildah.open(f"{REGISTRY}/orders:1")
    assert (made.config["Cmd"], made.config["User"]) == (["run", "orders:Orders"], "10001:10001")
    with start_as_built(made, services["worker"]) as worker:
        worker.wait_for("hello")
        imported = worker.also(["python3", "-c", "import idna"])
        assert imported.returncode == (0 if has_packages else 1), imported
        assert worker.stop() == 0, worker.lines


@needs_image
@pytest.mark.deploy
@pytest.mark.usefixtures("engine")
def test_the_health_check_of_the_page_says_that_a_worker_lives(
    tmp_path: Path, image: Image, buildah: Buildah, services: dict[str, Any]
) -> None:
    assert image.rootfs.is_dir()
    [lines] = blocks("observe", "dockerfile")
    file = tmp_path / "Dockerfile"
    file.write_text(f"FROM localhost/example\n{lines}", encoding="utf-8")
    buildah.build(file, tmp_path, "localhost/checked")
    made = buildah.open("localhost/checked")
    variables = dict(each.split("=", 1) for each in made.config["Env"])

    assert made.health_check == ["kcl", "health"]
    assert variables["KCL_HEALTH_FILE"] == "/tmp/kcl-health"
    with start_as_built(made, services["worker"]) as worker:
        worker.wait_for("hello")
        said = worker.also(made.health_check)
        assert (said.returncode, said.stdout.split(",")[0]) == (0, "running"), said
        assert worker.stop() == 0, worker.lines


def test_ecs_is_told_of_the_same_check_as_the_page_says() -> None:
    page = (ROOT / "docs" / "how-to" / "observe.md").read_text(encoding="utf-8")
    command = page.partition('`"command": ')[2].partition("`")[0]

    assert json.loads(command) == ["CMD", "kcl", "health"]
