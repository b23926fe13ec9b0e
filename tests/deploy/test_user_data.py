"""Does an instance's first boot leave a program, its environment and its unit behind?

Run in the file system that stands in for base images, where S3 and systemd only take notes.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.files import DEPLOY, ROOT, ran
from tests.deploy.image import BASE_FILE, why_not

BASE_PYTHON = (3, 11)
"""Of the stand-in. Wheels are made by the Python that runs the tests, which has to be the same."""

AWS = """#!/bin/sh
# aws s3 sync --only-show-errors --delete FROM TO
echo "aws $*" >>/notes
cp -r /s3/. "$6"
"""
SYSTEMCTL = """#!/bin/sh
echo "systemctl $*" >>/notes
"""
APT = """#!/bin/sh
echo "apt-get $*" >>/notes
case "$*" in
*install*)
    mv /usr/lib/python3.11/hidden /usr/lib/python3.11/ensurepip
    mv /hidden-aws /usr/local/bin/aws
    ;;
esac
"""
"""Gives back what was taken away."""

VARIABLES = {
    "ARTEFACTS": "s3://bucket/orders/1",
    "APP_NAME": "orders-app",
    "PROCESSOR": "people:Greeter",
    "PROCESSES": "2",
    "SETTINGS": "KCL_STREAM=orders\nKCL_TABLE_CREATE=false",
}

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(why_not() is not None, reason=f"image: {why_not()}"),
    pytest.mark.skipif(sys.version_info[:2] != BASE_PYTHON, reason="needs Python 3.11 for wheels"),
]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with Python, and what the instance will fetch."""
    root = tmp_path_factory.mktemp("machine")
    subprocess.run(["tar", "-xf", os.environ[BASE_FILE], "-C", str(root)], check=True)
    for name, text in (("aws", AWS), ("systemctl", SYSTEMCTL)):
        program = root / "usr" / "local" / "bin" / name
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)
    shelf = root / "s3"
    (shelf / "app").mkdir(parents=True)
    for source, where in (
        (ROOT / "docs" / "examples" / "people.py", shelf / "app"),
        (DEPLOY / "systemd" / "kcl@.service", shelf),
        (DEPLOY / "ec2" / "user-data.sh", root),
    ):
        (where / source.name).write_bytes(source.read_bytes())
    (shelf / "app" / "requirements.txt").write_text("idna\n", encoding="utf-8")
    made = ran(
        [
            *(sys.executable, "-m", "pip", "wheel", "-q", "--wheel-dir", shelf / "wheels"),
            *("--constraint", DEPLOY / "constraints.txt", f"{ROOT}[cli]", "idna"),
        ]
    )
    assert made.returncode == 0, made.stderr
    return root


def inside(machine: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run it there; /dev is that of this machine, and gone with the command."""
    enter = 'mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"'
    return ran(
        ["unshare", "--mount", "sh", "-c", enter, machine, *command],
        env={"PATH": "/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", **VARIABLES},
    )


def test_it_boots_and_may_boot_again(machine: Path) -> None:
    for _ in range(2):
        booted = inside(machine, "bash", "/user-data.sh")
        assert booted.returncode == 0, booted.stdout + booted.stderr

    notes = (machine / "notes").read_text(encoding="utf-8").splitlines()
    assert notes[: len(notes) // 2] == notes[len(notes) // 2 :]
    assert notes[-2:] == [
        "systemctl daemon-reload",
        "systemctl enable --now kcl@orders-app.service",
    ]
    settings = machine / "etc" / "kcl" / "orders-app.env"
    assert settings.stat().st_mode & 0o777 == 0o600
    assert settings.read_text(encoding="utf-8") == (
        "PROCESSOR=people:Greeter\nPROCESSES=2\nKCL_APP_NAME=orders-app\n"
        "KCL_STREAM=orders\nKCL_TABLE_CREATE=false\n"
    )
    unit = machine / "etc" / "systemd" / "system" / "kcl@.service"
    assert unit.read_bytes() == (DEPLOY / "systemd" / "kcl@.service").read_bytes()


def test_an_image_that_can_make_no_environment_gets_what_that_needs(machine: Path) -> None:
    """As Debian's do: their Python has no ensurepip, and they need not have the AWS CLI."""
    library = machine / "usr" / "lib" / "python3.11"
    (library / "ensurepip").rename(library / "hidden")
    (machine / "usr" / "local" / "bin" / "aws").rename(machine / "hidden-aws")
    apt = machine / "usr" / "local" / "bin" / "apt-get"
    apt.write_text(APT, encoding="utf-8")
    apt.chmod(0o755)
    (machine / "notes").unlink()

    booted = inside(machine, "bash", "/user-data.sh")
    assert booted.returncode == 0, booted.stdout + booted.stderr
    notes = (machine / "notes").read_text(encoding="utf-8").splitlines()
    [installed] = [each for each in notes if " install " in each]
    assert installed.endswith("--no-install-recommends python3-venv awscli")
    assert notes[-1] == "systemctl enable --now kcl@orders-app.service"


def test_what_it_leaves_is_what_the_unit_starts(machine: Path) -> None:
    unit = (DEPLOY / "systemd" / "kcl@.service").read_text(encoding="utf-8")
    [line] = [each for each in unit.splitlines() if each.startswith("ExecStart=")]
    program = line.removeprefix("ExecStart=").split()[0]

    nobody = inside(machine, "chroot", "--userspec=65534:65534", "/", program, "--version")
    assert nobody.returncode == 0, nobody.stderr
    assert nobody.stdout.startswith("kcl_py ")
    assert (machine / "srv" / "kcl" / "app" / "people.py").is_file()
    imported = inside(machine, "/srv/kcl/venv/bin/python", "-c", "import idna")
    assert imported.returncode == 0, "what the program asks for is there"


def test_a_variable_that_is_missing_is_named(machine: Path) -> None:
    said = inside(machine, "env", "-u", "PROCESSOR", "bash", "/user-data.sh")

    assert said.returncode != 0
    assert "PROCESSOR" in said.stderr
