"""Is the Terraform module well formed, does it plan what it should, and does an apply make it?

Needs `terraform`, and its provider in a folder that KCL_TEST_TERRAFORM_PROVIDERS names
(`.ci/deploy install` looks for one); the apply goes to moto, as in `test_stacks.py`.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from pathlib import Path
from typing import Any

import boto3.session
import pytest

from kcl_py.iam import Role, Scope, policy
from tests.deploy.files import DEPLOY, ran

MODULE = DEPLOY / "terraform"
MOTO = os.environ.get("KCL_TEST_MOTO")
PROVIDERS = os.environ.get("KCL_TEST_TERRAFORM_PROVIDERS")
STREAM = "arn:aws:kinesis:eu-west-1:123456789012:stream/orders"
KEY = "arn:aws:kms:eu-west-1:123456789012:key/0a1b"
SERVICES = ("applicationautoscaling", "cloudwatch", "dynamodb", "ec2", "ecs", "iam", "logs", "sts")

needs_terraform = pytest.mark.skipif(
    shutil.which("terraform") is None, reason="terraform is not installed"
)
needs_provider = pytest.mark.skipif(
    PROVIDERS is None, reason="KCL_TEST_TERRAFORM_PROVIDERS names no folder of providers"
)


class Terraform:
    """The module in a folder of its own, with a provider that asks nobody who it is."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "module"
        shutil.copytree(MODULE, self.folder)
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

    def __call__(self, *arguments: str) -> str:
        command = ["terraform", *arguments]
        done = ran(command, cwd=self.folder, env=self.environment)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
        return done.stdout

    def configure(self, endpoint: str) -> None:
        """Lead the provider to this address and no other."""
        endpoints = "\n".join(f'    {name} = "{endpoint}"' for name in SERVICES)
        (self.folder / "provider.tf").write_text(
            'provider "aws" {\n  region = "eu-west-1"\n  access_key = "local"\n'
            '  secret_key = "local"\n  skip_credentials_validation = true\n'
            "  skip_requesting_account_id = true\n  skip_metadata_api_check = true\n"
            f"  skip_region_validation = true\n  max_retries = 1\n"
            f"  endpoints {{\n{endpoints}\n  }}\n}}\n",
            encoding="utf-8",
        )

    def planned(self, **given: Any) -> dict[str, Any]:
        """Resources by address, as they are planned."""
        self.give(**given)
        self("plan", "-input=false", "-no-color", "-out=plan")
        told = json.loads(self("show", "-json", "plan"))
        root = told["planned_values"]["root_module"]
        return {each["address"]: each["values"] for each in root["resources"]}

    def give(self, **given: Any) -> None:
        needed = {
            "app_name": "orders-app",
            "stream_arn": STREAM,
            "image": "image@sha256:0",
            "processor": "people:Greeter",
            "vpc_id": "vpc-1",
            "subnet_ids": ["subnet-1"],
        }
        text = json.dumps({**needed, **given})
        (self.folder / "terraform.tfvars.json").write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def terraform(tmp_path_factory: pytest.TempPathFactory) -> Terraform:
    made = Terraform(tmp_path_factory.mktemp("terraform"))
    made("init", "-input=false", "-no-color")
    return made


@needs_terraform
def test_it_is_written_as_terraform_writes_it(tmp_path: Path) -> None:
    assert Terraform(tmp_path)("fmt", "-check", "-diff", "-recursive", "-no-color") == ""


@needs_terraform
@needs_provider
@pytest.mark.deploy
class TestWithItsProvider:
    def test_it_is_valid(self, terraform: Terraform) -> None:
        assert json.loads(terraform("validate", "-json"))["diagnostics"] == []

    def test_its_own_tests_pass(self, terraform: Terraform) -> None:
        said = terraform("test", "-no-color")

        assert "3 passed, 0 failed" in said

    @pytest.mark.parametrize(("create", "key"), [(False, None), (True, KEY)])
    def test_tasks_may_do_what_a_worker_needs_and_no_more(
        self, terraform: Terraform, *, create: bool, key: str | None
    ) -> None:
        terraform.configure("http://127.0.0.1:9")
        planned = terraform.planned(
            create_table=create, make_table=not create, stream_key_arn=key, table_key_arn=key
        )

        granted = json.loads(planned["aws_iam_role_policy.worker"]["policy"])
        scope = Scope(
            stream_arn=STREAM,
            table="orders-app",
            create_table=create,
            stream_key=key,
            table_key=key,
            metrics="orders-app",
        )
        assert granted == policy(Role.WORKER, scope)
        assert ("aws_dynamodb_table.leases[0]" in planned) is not create

    @pytest.mark.skipif(MOTO is None, reason="moto: KCL_TEST_MOTO is not set")
    def test_an_apply_makes_it_and_a_destroy_takes_it_away(self, terraform: Terraform) -> None:
        assert MOTO is not None
        session: Any = boto3.session.Session("local", "local", region_name="eu-west-1")
        ec2 = session.client("ec2", endpoint_url=MOTO)
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        terraform.configure(MOTO)
        name = f"app-{uuid.uuid4().hex[:8]}"
        terraform.give(app_name=name, vpc_id=vpc, subnet_ids=[subnet], deletion_protection=False)
        # moto has none of the policies that AWS manages; the same name, in the account itself.
        iam = session.client("iam", endpoint_url=MOTO)
        arn = iam.create_policy(PolicyName=name, PolicyDocument=ANY_POLICY)["Policy"]["Arn"]
        (terraform.folder / "moto_override.tf").write_text(
            'resource "aws_iam_role_policy_attachment" "execution" {\n'
            f'  policy_arn = "{arn}"\n}}\n',
            encoding="utf-8",
        )

        terraform("apply", "-auto-approve", "-input=false", "-no-color", *TARGETS)
        try:
            state = json.loads(terraform("show", "-json"))["values"]["root_module"]["resources"]
            assert {each["address"] for each in state} == MADE
        finally:
            said = terraform("destroy", "-auto-approve", "-input=false", "-no-color")
        assert f"{len(MADE)} destroyed" in said


ANY_POLICY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}],
    }
)

MADE = {
    "aws_cloudwatch_log_group.workers",
    "aws_cloudwatch_metric_alarm.lag_is_high",
    "aws_cloudwatch_metric_alarm.nobody_reads",
    "aws_dynamodb_table.leases[0]",
    "aws_ecs_cluster.this",
    "aws_ecs_cluster_capacity_providers.this",
    "aws_ecs_service.workers",
    "aws_ecs_task_definition.worker",
    "aws_iam_role.execution",
    "aws_iam_role.worker",
    "aws_iam_role_policy.worker",
    "aws_iam_role_policy_attachment.execution",
    "aws_security_group.workers",
}
"""All but the scaling and its two alarms: moto answers 500 to ListTagsForResource of a target."""

TARGETS = [f"-target={address}" for address in sorted(MADE)]
