"""Are the Terraform modules well formed, do they grant what they should, and does an apply make it?

Needs `terraform`, and its provider in a folder that KCL_TEST_TERRAFORM_PROVIDERS names
(`.ci/deploy install` looks for one). What is applied are the blocks of the how-to pages, as they
are written, and it goes to moto, as in `test_stacks.py`.
"""

from __future__ import annotations

import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import boto3.session
import pytest

from tests.deploy.files import DEPLOY
from tests.deploy.moto_front import front_of
from tests.deploy.terraform import (
    MODULES,
    MOTO,
    Terraform,
    needs_moto,
    needs_provider,
    needs_terraform,
    resources,
)
from tests.docs.pages import DOCS, blocks_of

NOT_IN_MOTO: Final = """\
resource "aws_iam_role_policy_attachment" "execution" {
  policy_arn = "ANY_POLICY"
}
"""
"""moto has none of the policies that AWS manages; one in the account itself stands in."""

MAY_BE_DELETED: Final = """\
variable "deletion_protection" {
  default = false
}
"""

TABLE: Final = {"module.table.aws_dynamodb_table.leases"}
ALARMS: Final = {
    "module.alarms.aws_cloudwatch_dashboard.this",
    "module.alarms.aws_cloudwatch_metric_alarm.lag_is_high",
    "module.alarms.aws_cloudwatch_metric_alarm.nobody_reads",
    "module.alarms.aws_cloudwatch_metric_alarm.records_may_be_lost",
    "module.alarms.aws_cloudwatch_metric_alarm.stream_is_throttled",
    "module.alarms.aws_cloudwatch_metric_alarm.table_is_throttled",
    "module.alarms.aws_cloudwatch_metric_alarm.workers_are_unhealthy",
}
ECS: Final = {
    "module.orders.aws_appautoscaling_policy.in",
    "module.orders.aws_appautoscaling_policy.out",
    "module.orders.aws_appautoscaling_target.tasks",
    "module.orders.aws_cloudwatch_log_group.workers",
    "module.orders.aws_cloudwatch_metric_alarm.idle",
    "module.orders.aws_cloudwatch_metric_alarm.lag",
    "module.orders.aws_ecs_cluster.this",
    "module.orders.aws_ecs_cluster_capacity_providers.this",
    "module.orders.aws_ecs_service.workers",
    "module.orders.aws_ecs_task_definition.worker",
    "module.orders.aws_iam_role.execution",
    "module.orders.aws_iam_role.worker",
    "module.orders.aws_iam_role_policy.worker",
    "module.orders.aws_iam_role_policy_attachment.execution",
    "module.orders.aws_security_group.workers",
}
EC2: Final = {
    "module.orders.aws_autoscaling_group.workers",
    "module.orders.aws_autoscaling_lifecycle_hook.drain",
    "module.orders.aws_autoscaling_policy.in",
    "module.orders.aws_autoscaling_policy.out",
    "module.orders.aws_cloudwatch_metric_alarm.idle",
    "module.orders.aws_cloudwatch_metric_alarm.lag",
    "module.orders.aws_iam_instance_profile.worker",
    "module.orders.aws_iam_role.worker",
    "module.orders.aws_iam_role_policy.boot",
    "module.orders.aws_iam_role_policy.worker",
    "module.orders.aws_launch_template.workers",
    "module.orders.aws_security_group.workers",
}
MADE: Final = {
    "deploy-on-ecs.md": TABLE | ECS | ALARMS,
    "deploy-on-ec2.md": TABLE | EC2,
}
"""By the blocks of each page."""


@needs_terraform
def test_modules_are_written_as_terraform_writes_them(tmp_path: Path) -> None:
    assert Terraform(tmp_path)("fmt", "-check", "-diff", "-recursive", "-no-color") == ""


def test_all_modules_are_tried_here() -> None:
    assert {path.name for path in (DEPLOY / "terraform").iterdir()} == set(MODULES)


@needs_terraform
@needs_provider
@pytest.mark.deploy
@pytest.mark.parametrize("module", MODULES)
def test_its_own_tests_pass(tmp_path: Path, module: str) -> None:
    terraform = Terraform(tmp_path)
    place = terraform.modules / module
    terraform.init(place)

    assert json.loads(terraform("validate", "-json", at=place))["diagnostics"] == []
    said = terraform("test", "-no-color", at=place)
    runs = (place / "tests" / f"{module}.tftest.hcl").read_text(encoding="utf-8").count('run "')
    assert f"{runs} passed, 0 failed" in said


# ------------------------------------------------------------------------------------------- apply


class Page:
    """What somebody has who copies a page's blocks and fills in what is theirs."""

    def __init__(self, name: str, folder: Path, moto: str) -> None:
        self.name, self.moto = name, moto
        self.app = f"app-{uuid.uuid4().hex[:8]}"
        self.session: Any = boto3.session.Session("local", "local", region_name="eu-west-1")
        [block] = [each.text for each in blocks_of(DOCS / "how-to" / name) if each.kind == "hcl"]
        self.terraform = Terraform(folder, self.filled(block))
        overrides = {"ecs": self.any_policy(), "table": MAY_BE_DELETED}
        for module, text in overrides.items():
            file = self.terraform.modules / module / "moto_override.tf"
            file.write_text(text, encoding="utf-8")
        self.state: dict[str, Any] = {}

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.moto)

    def filled(self, text: str) -> str:
        ec2 = self.client("ec2")
        subnets = ec2.describe_subnets()["Subnets"]
        fills = {
            '"orders-app"': f'"{self.app}"',
            "vpc-ID": ec2.describe_vpcs()["Vpcs"][0]["VpcId"],
            '"subnet-ID", "subnet-ID"': f'"{subnets[0]["SubnetId"]}", "{subnets[1]["SubnetId"]}"',
            '"BUCKET"': '"bucket"',
            '"ARN"': '"arn:aws:sns:eu-west-1:111122223333:pager"',
        }
        for placeholder, value in fills.items():
            text = text.replace(placeholder, value)
        return text

    def any_policy(self) -> str:
        statement = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam = self.client("iam")
        made = iam.create_policy(PolicyName=self.app, PolicyDocument=document)["Policy"]
        return NOT_IN_MOTO.replace("ANY_POLICY", made["Arn"])

    def apply(self, front: str) -> None:
        self.terraform.configure(self.moto, applicationautoscaling=front)
        self.terraform.init()
        self.terraform("apply", "-auto-approve", "-input=false", "-no-color")
        self.state = self.terraform.state()

    def destroy(self) -> str:
        return self.terraform("destroy", "-auto-approve", "-input=false", "-no-color")

    def one(self, kind: str) -> Any:
        """The only resource of a kind, as it was made."""
        [found] = [each for name, each in self.state.items() if f".{kind}." in name]
        return found


@needs_terraform
@needs_provider
@needs_moto
@pytest.mark.deploy
def test_the_blocks_of_the_pages_make_what_they_say_and_take_it_away(tmp_path: Path) -> None:
    """Both at once, since the provider mostly waits."""
    assert MOTO is not None
    pages = [Page(name, tmp_path / name, MOTO) for name in MADE]
    with front_of(MOTO) as front, ThreadPoolExecutor() as pool:
        for each in [pool.submit(page.apply, front) for page in pages]:
            each.result()
        ecs, ec2 = pages
        check_ecs(ecs)
        check_ec2(ec2)
        said = [each.result() for each in [pool.submit(page.destroy) for page in pages]]

    for page, words in zip(pages, said, strict=True):
        assert set(page.state) == MADE[page.name]
        assert f"{len(page.state)} destroyed" in words


def check_ecs(page: Page) -> None:
    cluster, service = page.one("aws_ecs_cluster")["name"], page.one("aws_ecs_service")["name"]
    [running] = page.client("ecs").describe_services(cluster=cluster, services=[service])[
        "services"
    ]
    assert running["desiredCount"] == 2
    place = {"ServiceNamespace": "ecs", "ResourceId": f"service/{cluster}/{service}"}
    scaling = page.client("application-autoscaling")
    steps = [
        step["ScalingAdjustment"]
        for each in scaling.describe_scaling_policies(**place)["ScalingPolicies"]
        for step in each["StepScalingPolicyConfiguration"]["StepAdjustments"]
    ]
    assert sorted(steps) == [-1, 1, 3]
    alarms = page.client("cloudwatch").describe_alarms(AlarmNamePrefix=page.app)["MetricAlarms"]
    assert len(alarms) == 8


def check_ec2(page: Page) -> None:
    name = {"AutoScalingGroupName": page.one("aws_autoscaling_group")["name"]}
    scaling = page.client("autoscaling")
    [hook] = scaling.describe_lifecycle_hooks(**name)["LifecycleHooks"]
    assert (hook["HeartbeatTimeout"], hook["DefaultResult"]) == (180, "CONTINUE")
    policies = scaling.describe_policies(**name)["ScalingPolicies"]
    steps = [step["ScalingAdjustment"] for each in policies for step in each["StepAdjustments"]]
    assert sorted(steps) == [-1, 1, 3]
    [version] = page.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=page.one("aws_launch_template")["id"]
    )["LaunchTemplateVersions"]
    data = version["LaunchTemplateData"]
    assert data["ImageId"].startswith("ami-")
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert page.one("aws_iam_instance_profile")["role"] == page.one("aws_iam_role")["name"]
