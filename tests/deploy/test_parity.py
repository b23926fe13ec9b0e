"""Do CloudFormation and Terraform say the same? Each template against the module of its name.

What is compared: the kinds of resources, parameters with their defaults, outputs, and what decides
how a fleet behaves, row by row. The template is resolved by `template.py`, the module planned by
Terraform, both with the same parameters, of which nothing is left to its default that could be.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

import pytest

from kcl_py.iam import Role, Scope, policy
from tests.deploy.parity import (
    APP,
    FILES,
    FOLDER,
    GIVEN,
    NEEDED,
    OTHERWISE,
    STREAM,
    Plan,
    plain,
    snake,
)
from tests.deploy.parity_rows import ROWS
from tests.deploy.template import Template, read
from tests.deploy.terraform import (
    needs_provider,
    needs_terraform,
)

KINDS: Final = {
    "AWS::ApplicationAutoScaling::ScalableTarget": "aws_appautoscaling_target",
    "AWS::ApplicationAutoScaling::ScalingPolicy": "aws_appautoscaling_policy",
    "AWS::AutoScaling::AutoScalingGroup": "aws_autoscaling_group",
    "AWS::AutoScaling::ScalingPolicy": "aws_autoscaling_policy",
    "AWS::CloudWatch::Alarm": "aws_cloudwatch_metric_alarm",
    "AWS::CloudWatch::Dashboard": "aws_cloudwatch_dashboard",
    "AWS::DynamoDB::Table": "aws_dynamodb_table",
    "AWS::EC2::LaunchTemplate": "aws_launch_template",
    "AWS::EC2::SecurityGroup": "aws_security_group",
    "AWS::ECS::Cluster": "aws_ecs_cluster",
    "AWS::ECS::Service": "aws_ecs_service",
    "AWS::ECS::TaskDefinition": "aws_ecs_task_definition",
    "AWS::IAM::InstanceProfile": "aws_iam_instance_profile",
    "AWS::IAM::Role": "aws_iam_role",
    "AWS::Logs::LogGroup": "aws_cloudwatch_log_group",
}
PARTS: Final = {
    "aws_autoscaling_lifecycle_hook",
    "aws_ecs_cluster_capacity_providers",
    "aws_iam_role_policy",
    "aws_iam_role_policy_attachment",
}
"""Resources in Terraform, and properties of another resource in CloudFormation."""

pytestmark = [pytest.mark.deploy, needs_terraform, needs_provider]


@pytest.fixture(scope="module", params=["defaults", "given"])
def both(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Callable[[str], Template], Plan]:
    """Each template, and all modules, with the same parameters."""
    given = GIVEN if request.param == "given" else {name: {} for name in FILES}

    def template(module: str) -> Template:
        parameters = {"AppName": APP, **NEEDED[module], **given[module]}
        return read(FOLDER / FILES[module], **parameters)

    return template, Plan(tmp_path_factory.mktemp("parity"), given)


Both = tuple[Callable[[str], Template], Plan]


# ---------------------------------------------------------------------------- what there is of it


@pytest.mark.parametrize("module", FILES)
def test_the_same_kinds_of_resources(both: Both, module: str) -> None:
    template, plan = both
    made = Counter(KINDS[each["Type"]] for each in template(module).resources.values())

    planned = Counter(kind for kind, _, _ in plan.kinds(module))
    assert {kind: each for kind, each in planned.items() if kind not in PARTS} == made


@pytest.mark.parametrize("module", FILES)
def test_the_same_parameters_with_the_same_defaults_and_the_same_outputs(
    both: Both, module: str
) -> None:
    template, plan = both
    body = template(module).body
    known = {name: plain(name, each.get("Default")) for name, each in body["Parameters"].items()}
    called = plan.calls[module]["module"]
    variables = {name: each.get("default") for name, each in called["variables"].items()}

    same = {OTHERWISE.get(name, snake(name)): each for name, each in known.items()}
    assert {name: loose(variables[name]) for name in same} == {
        name: loose(each) for name, each in same.items()
    }
    assert variables.keys() - same.keys() <= {"account_id", "ami_id", "region", "settings"}
    assert set(called["outputs"]) == {snake(name) for name in body["Outputs"]}


def loose(value: Any) -> Any:
    """CloudFormation has numbers also as words."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


@pytest.mark.parametrize("module", FILES)
def test_the_same_row_by_row(both: Both, module: str) -> None:
    template, plan = both
    rows = ROWS[module](template(module), plan)

    assert {name: tf for name, (_, tf) in rows.items()} == {
        name: cfn for name, (cfn, _) in rows.items()
    }


# ------------------------------------------------------------------------------- what both have


@pytest.mark.parametrize("module", ["ecs", "ec2", "observability"])
def test_the_same_alarms(both: Both, module: str) -> None:
    template, plan = both
    found = [
        each["Properties"]
        for each in template(module).resources.values()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    ]
    planned = plan.of(module, "aws_cloudwatch_metric_alarm")

    wanted = {each["AlarmDescription"]: alarm_of_cloudformation(each) for each in found}
    made = {each["alarm_description"]: alarm_of_terraform(each) for each in planned.values()}
    assert made == wanted
    if module == "observability":
        topics = GIVEN[module]["TopicArn"] if "AlarmActions" in found[0] else None
        for each in (*found, *planned.values()):
            actions = each.get("AlarmActions") or each.get("alarm_actions") or []
            assert actions == ([topics] if topics else [])


def alarm_of_cloudformation(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "when": (given["ComparisonOperator"], float(given["Threshold"])),
        "how long": given["EvaluationPeriods"],
        "silence": given["TreatMissingData"],
        "metrics": {
            each["Id"]: each.get("Expression")
            or (
                *(each["MetricStat"][name] for name in ("Stat", "Period")),
                *(each["MetricStat"]["Metric"][name] for name in ("Namespace", "MetricName")),
                {
                    one["Name"]: ... if one["Name"] in ELSEWHERE else one["Value"]
                    for one in each["MetricStat"]["Metric"]["Dimensions"]
                },
            )
            for each in given["Metrics"]
        },
    }


def alarm_of_terraform(given: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "when": (given["comparison_operator"], float(given["threshold"])),
        "how long": given["evaluation_periods"],
        "silence": given["treat_missing_data"],
        "metrics": {
            each["id"]: each["expression"]
            or (
                *(each["metric"][0][name] for name in ("stat", "period")),
                *(each["metric"][0][name] for name in ("namespace", "metric_name")),
                {
                    name: ... if name in ELSEWHERE else value
                    for name, value in each["metric"][0]["dimensions"].items()
                },
            )
            for each in given["metric_query"]
        },
    }


ELSEWHERE: Final = {"AutoScalingGroupName", "ClusterName", "ServiceName"}
"""Dimensions whose values are made together with the fleet."""


@pytest.mark.parametrize(
    ("module", "kind"), [("ecs", "aws_appautoscaling_policy"), ("ec2", "aws_autoscaling_policy")]
)
def test_the_same_steps_for_the_same_alarms(both: Both, module: str, kind: str) -> None:
    template, plan = both
    for cfn, tf, alarm in (("ScaleOut", "out", "lag"), ("ScaleIn", "in", "idle")):
        given, planned = template(module).properties(cfn), plan(module, f"{kind}.{tf}")
        assert planned["policy_type"] == given["PolicyType"]
        if module == "ecs":
            given = given["StepScalingPolicyConfiguration"]
            [planned] = planned["step_scaling_policy_configuration"]
        for name in OF_A_POLICY:
            assert loose(planned.get(snake(name))) == loose(given.get(name)), name
        assert [
            {name: float(each) for name, each in step.items() if each not in (None, "")}
            for step in sorted(
                planned["step_adjustment"], key=lambda step: step["metric_interval_lower_bound"]
            )
        ] == [
            {snake(name): float(each) for name, each in step.items()}
            for step in given.get("StepAdjustments", [])
        ]
        assert plan.acting(module, alarm)[0] == f"{kind}.{tf}.arn"


OF_A_POLICY: Final = (
    "AdjustmentType",
    "Cooldown",
    "EstimatedInstanceWarmup",
    "MetricAggregationType",
    "ScalingAdjustment",
)


@pytest.mark.parametrize(("module", "role"), [("ecs", "TaskRole"), ("ec2", "Role")])
def test_workers_may_do_the_same_and_what_the_code_needs(
    both: Both, module: str, role: str
) -> None:
    template, plan = both
    cfn = template(module)
    granted = json.loads(plan(module, "aws_iam_role_policy.worker")["policy"])
    scope = Scope(
        stream_arn=STREAM,
        table=APP,
        create_table=cfn.parameters["CreateTable"] == "true",
        stream_key=cfn.parameters["StreamKeyArn"] or None,
        table_key=cfn.parameters["TableKeyArn"] or None,
        metrics=APP,
        group=f"{APP}-workers" if module == "ec2" else None,
    )

    assert granted == policy(Role.WORKER, scope)
    [other] = [
        each["PolicyDocument"]
        for each in cfn.properties(role)["Policies"]
        if each["PolicyName"] == "worker"
    ]
    assert by_name(other) == by_name(granted)


def by_name(document: Any) -> dict[str, Any]:
    return {
        each["Sid"]: {**each, "Action": sorted(each["Action"])} for each in document["Statement"]
    }


@pytest.mark.parametrize("module", ["ecs", "ec2"])
def test_workers_call_by_tls_and_are_not_called(both: Both, module: str) -> None:
    template, plan = both
    cfn = template(module).properties("SecurityGroup")
    [out] = cfn["SecurityGroupEgress"]
    tf = plan(module, "aws_security_group.workers")
    [planned] = tf["egress"]

    assert "SecurityGroupIngress" not in cfn
    assert not tf.get("ingress")
    assert (
        planned["protocol"],
        planned["from_port"],
        planned["to_port"],
        planned["cidr_blocks"],
    ) == (out["IpProtocol"], out["FromPort"], out["ToPort"], [out["CidrIp"]])
    assert tf["description"] == cfn["GroupDescription"]
