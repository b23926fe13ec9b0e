"""Are the Terraform modules well formed, do their tests pass, and does an apply make what they say?

Needs `terraform`, and its provider in a folder that KCL_TEST_TERRAFORM_PROVIDERS names
(`.ci/deploy install` looks for one). What is applied are the blocks of the how-to pages, as they
are written, and it goes to moto, as in `test_stacks.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deploy.files import DEPLOY
from tests.deploy.moto_front import front_of
from tests.deploy.pages import PAGES, Pages
from tests.deploy.terraform import (
    MODULES,
    MOTO,
    Terraform,
    copy_deploy,
    needs_moto,
    needs_provider,
    needs_terraform,
)
from tests.docs.pages import DOCS, Claim, blocks_of, name_of

TABLE: Final = {"table.aws_dynamodb_table.leases"}
ALARMS: Final = {
    "alarms.aws_cloudwatch_dashboard.this",
    "alarms.aws_cloudwatch_metric_alarm.lag_is_high",
    "alarms.aws_cloudwatch_metric_alarm.nobody_reads",
    "alarms.aws_cloudwatch_metric_alarm.records_may_be_lost",
    "alarms.aws_cloudwatch_metric_alarm.stream_is_throttled",
    "alarms.aws_cloudwatch_metric_alarm.table_is_throttled",
    "alarms.aws_cloudwatch_metric_alarm.workers_are_unhealthy",
}
SCALING: Final = {
    "orders.module.scaling.aws_cloudwatch_metric_alarm.idle",
    "orders.module.scaling.aws_cloudwatch_metric_alarm.lag",
}
ECS: Final = {
    "orders.aws_appautoscaling_policy.in",
    "orders.aws_appautoscaling_policy.out",
    "orders.aws_appautoscaling_target.tasks",
    "orders.aws_cloudwatch_log_group.workers",
    "orders.aws_ecs_cluster.this",
    "orders.aws_ecs_cluster_capacity_providers.this",
    "orders.aws_ecs_service.workers",
    "orders.aws_ecs_task_definition.worker",
    "orders.aws_iam_role.execution",
    "orders.aws_iam_role.worker",
    "orders.aws_iam_role_policy.worker",
    "orders.aws_iam_role_policy_attachment.execution",
    "orders.aws_security_group.workers",
    *SCALING,
}
EC2: Final = {
    "orders.aws_autoscaling_group.workers",
    "orders.aws_autoscaling_lifecycle_hook.drain",
    "orders.aws_autoscaling_policy.in",
    "orders.aws_autoscaling_policy.out",
    "orders.aws_iam_instance_profile.worker",
    "orders.aws_iam_role.worker",
    "orders.aws_iam_role_policy.boot",
    "orders.aws_iam_role_policy.worker",
    "orders.aws_launch_template.workers",
    "orders.aws_security_group.workers",
    *SCALING,
}
MADE: Final = {"deploy-on-ecs": TABLE | ECS | ALARMS, "deploy-on-ec2": TABLE | EC2}
"""By the block of each page."""


@needs_terraform
def test_modules_are_written_as_terraform_writes_them(tmp_path: Path) -> None:
    copy_deploy(tmp_path)

    assert Terraform(tmp_path)("fmt", "-check", "-diff", "-recursive", "-no-color") == ""


def test_all_modules_are_tried_here() -> None:
    assert {path.name for path in (DEPLOY / "terraform").iterdir()} == set(MODULES)


@needs_terraform
@needs_provider
@pytest.mark.deploy
@pytest.mark.parametrize("module", MODULES)
def test_its_own_tests_pass(tmp_path: Path, module: str) -> None:
    copy_deploy(tmp_path)
    terraform, place = Terraform(tmp_path), f"deploy/terraform/{module}"
    terraform.init(place)

    said = terraform("test", "-no-color", at=place)
    file = tmp_path / place / "tests" / f"{module}.tftest.hcl"
    runs = re.findall(r"^run ", file.read_text(encoding="utf-8"), re.MULTILINE)
    assert f"{len(runs)} passed, 0 failed" in said


def claimed_blocks() -> Iterator[Claim]:
    """See `tests.docs.pages.Claim`."""
    for page in PAGES:
        path = DOCS / "how-to" / f"{page}.md"
        yield from ((name_of(path), each.number) for each in blocks_of(path) if each.kind == "hcl")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """The blocks of the how-to pages, planned."""
    assert MOTO is not None
    made = Pages(MOTO, terraform=Terraform(tmp_path_factory.mktemp("pages")))
    with front_of(MOTO) as front:
        made.write(front)
        yield made


@needs_terraform
@needs_provider
@needs_moto
@pytest.mark.deploy
class TestTheBlocksOfThePages:
    """All in one configuration, since a start of the provider costs seconds."""

    def test_they_are_valid(self, pages: Pages) -> None:
        assert json.loads(pages.terraform("validate", "-json"))["diagnostics"] == []

    def test_an_apply_makes_them_and_a_destroy_takes_them_away(self, pages: Pages) -> None:
        wanted = {f"module.{page}.module.{each}" for page in PAGES for each in MADE[page]}
        assert {name for name, _ in pages.resources} == wanted

        pages.terraform("apply", "-input=false", "-no-color", "plan")
        try:
            made = pages.terraform("state", "list").splitlines()
            assert {each for each in made if ".data." not in each} == wanted
            check_ecs(pages)
            check_ec2(pages)
            check_that_another_mix_is_an_update(pages)
        finally:
            said = pages.terraform("destroy", "-auto-approve", "-input=false", "-no-color")
        assert f"{len(wanted)} destroyed" in said


def check_ecs(pages: Pages) -> None:
    """What moto has of the tasks, asked through its services."""
    app = pages.app("deploy-on-ecs")
    [service] = pages.client("ecs").describe_services(cluster=app, services=[app])["services"]
    assert service["desiredCount"] == 2
    scaling = pages.client("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="ecs", ResourceId=f"service/{app}/{app}"
    )["ScalingPolicies"]
    assert steps([each["StepScalingPolicyConfiguration"] for each in scaling]) == [-1, 1, 3]
    alarms = pages.client("cloudwatch").describe_alarms(AlarmNamePrefix=app)["MetricAlarms"]
    assert len(alarms) == 8
    [dashboard] = pages.client("cloudwatch").list_dashboards(DashboardNamePrefix=f"kcl-{app}")[
        "DashboardEntries"
    ]
    assert dashboard["DashboardName"] == f"kcl-{app}"


def check_that_another_mix_is_an_update(pages: Pages) -> None:
    """And no reason for a new service, without workers in the meantime.

    moto forgets the mix, so it is not asked; and tells of EC2, which is a reason of its own.
    """
    place = pages.terraform.folder / "deploy-on-ecs" / "deploy" / "terraform" / "ecs"
    override = place / "mix_override.tf"
    override.write_text('variable "spot_weight" {\n  default = 0\n}\n', encoding="utf-8")
    [change] = [
        each["change"]
        for each in pages.terraform.plan("-refresh=false")["resource_changes"]
        if each["address"].endswith(".aws_ecs_service.workers")
    ]
    override.unlink()
    mixes = [len(change[when]["capacity_provider_strategy"]) for when in ("before", "after")]
    assert mixes == [2, 1]
    assert {path[0] for path in change.get("replace_paths", [])} <= {"launch_type"}


def check_ec2(pages: Pages) -> None:
    """What moto has of the instances."""
    scaling = pages.client("autoscaling")
    name = {"AutoScalingGroupName": f"{pages.app('deploy-on-ec2')}-workers"}
    [hook] = scaling.describe_lifecycle_hooks(**name)["LifecycleHooks"]
    assert (hook["HeartbeatTimeout"], hook["DefaultResult"]) == (180, "CONTINUE")
    policies = scaling.describe_policies(**name)["ScalingPolicies"]
    [down] = [each for each in policies if each["PolicyType"] == "SimpleScaling"]
    assert (down["ScalingAdjustment"], down["Cooldown"]) == (-1, 900)
    assert steps([each for each in policies if each is not down]) == [1, 3]
    [group] = scaling.describe_auto_scaling_groups(
        AutoScalingGroupNames=[name["AutoScalingGroupName"]]
    )["AutoScalingGroups"]
    launched = group["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"]
    [version] = pages.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=launched["LaunchTemplateId"]
    )["LaunchTemplateVersions"]
    data = version["LaunchTemplateData"]
    assert data["ImageId"].startswith("ami-")
    assert data["MetadataOptions"]["HttpTokens"] == "required"


def steps(policies: list[Any]) -> list[int]:
    return sorted(
        step["ScalingAdjustment"] for each in policies for step in each["StepAdjustments"]
    )
