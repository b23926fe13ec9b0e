"""How do tests run Terraform? In a folder of their own, with a provider that asks nobody who it is.

The folder holds a copy of `deploy/`, so that a module is called as in a clone of this repository.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deploy.files import DEPLOY, ran

MODULES: Final = ("ec2", "ecs", "observability", "scaling", "table", "worker")
MOTO: Final = os.environ.get("KCL_TEST_MOTO")
PROVIDERS: Final = os.environ.get("KCL_TEST_TERRAFORM_PROVIDERS")
NOWHERE: Final = "http://127.0.0.1:9"
"""For what must not ask anybody."""

SERVICES: Final = (
    "applicationautoscaling",
    "autoscaling",
    "cloudwatch",
    "dynamodb",
    "ec2",
    "ecs",
    "iam",
    "logs",
    "ssm",
    "sts",
)

needs_terraform = pytest.mark.skipif(
    shutil.which("terraform") is None, reason="terraform is not installed"
)
needs_provider = pytest.mark.skipif(
    PROVIDERS is None, reason="KCL_TEST_TERRAFORM_PROVIDERS names no folder of providers"
)
needs_moto = pytest.mark.skipif(MOTO is None, reason="moto: KCL_TEST_MOTO is not set")


class Terraform:
    """A folder with the configuration of whoever uses the modules, and `terraform` in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(exist_ok=True)
        config = folder / "terraformrc"
        mirror = f'provider_installation {{ filesystem_mirror {{ path = "{PROVIDERS}" }} }}\n'
        config.write_text("" if PROVIDERS is None else mirror, encoding="utf-8")
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "TF_CLI_CONFIG_FILE": str(config),
            "TF_IN_AUTOMATION": "1",
            "CHECKPOINT_DISABLE": "1",
        }

    def __call__(self, *arguments: str, at: str = "") -> str:
        command = ["terraform", *arguments]
        done = ran(command, cwd=self.folder / at, env=self.environment)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        return done.stdout

    def add(self, name: str, text: str) -> Path:
        """Call this from the root, in a folder like a clone; return where the modules are."""
        place = self.folder / name
        copy_deploy(place)
        (place / "main.tf").write_text(text, encoding="utf-8")
        with (self.folder / "main.tf").open("a", encoding="utf-8") as root:
            root.write(f'module "{name}" {{\n  source = "./{name}"\n}}\n')
        return place / "deploy" / "terraform"

    def init(self, at: str = "") -> None:
        self("init", "-input=false", "-no-color", at=at)

    def configure(self, endpoint: str, **others: str) -> None:
        """Lead the provider to this address, that of some services to others, and nowhere else."""
        endpoints = "\n".join(f'    {name} = "{others.get(name, endpoint)}"' for name in SERVICES)
        (self.folder / "provider.tf").write_text(
            'provider "aws" {\n  region = "eu-west-1"\n  access_key = "local"\n'
            '  secret_key = "local"\n  skip_credentials_validation = true\n'
            "  skip_requesting_account_id = true\n  skip_metadata_api_check = true\n"
            f"  skip_region_validation = true\n  max_retries = 1\n"
            f"  endpoints {{\n{endpoints}\n  }}\n}}\n",
            encoding="utf-8",
        )

    def plan(self, *options: str) -> dict[str, Any]:
        """What would be made, as `terraform show -json` tells it."""
        self("plan", "-input=false", "-no-color", "-out=plan", *options)
        told: dict[str, Any] = json.loads(self("show", "-json", "plan"))
        return told


def copy_deploy(place: Path) -> None:
    """What the modules are and read, as in a clone of this repository."""
    for name in ("ec2", "terraform"):
        leave = shutil.ignore_patterns(".terraform*")
        shutil.copytree(DEPLOY / name, place / "deploy" / name, ignore=leave)


def resources(module: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Address and values of all that a module and those in it make."""
    for each in module.get("resources", []):
        if each["mode"] == "managed":
            yield each["address"], each["values"]
    for child in module.get("child_modules", []):
        yield from resources(child)


def call(name: str, **given: Any) -> str:
    """HCL that calls one of the modules."""
    lines = [f"  {key} = {literal(value)}" for key, value in given.items()]
    return "\n".join(
        [f'module "{name}" {{', f'  source = "./deploy/terraform/{name}"', *lines, "}", ""]
    )


def literal(value: Any) -> str:
    """JSON is HCL, as long as nothing is interpolated."""
    text = json.dumps(value)
    assert "${" not in text, text
    return text
