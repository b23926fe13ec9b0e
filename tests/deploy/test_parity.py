"""Do CloudFormation and Terraform say the same? Each template against the module of its name.

What is compared: the kinds of resources, parameters with their defaults, outputs, and what decides
how a fleet behaves, row by row. The template is resolved by `template.py`, the module planned by
Terraform, both with the same parameters, of which nothing is left to its default that could be.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from kcl_py.iam import Role, Scope, policy
from tests.deploy.files import DEPLOY
from tests.deploy.template import Template, read
from tests.deploy.terraform import (
    NOWHERE,
    Terraform,
    call,
    copy_deploy,
    needs_provider,
    needs_terraform,
    resources,
)

FOLDER: Final = DEPLOY / "cloudformation"
FILES: Final = {
    "ecs": "ecs-fargate.yaml",
    "ec2": "ec2-asg.yaml",
    "observability": "observability.yaml",
    "table": "table.yaml",
}
APP: Final = "orders.app"
STREAM: Final = "arn:aws:kinesis:eu-west-1:111122223333:stream/orders"
KEY: Final = "arn:aws:kms:eu-west-1:111122223333:key/0a1b"
OTHER_KEY: Final = "arn:aws:kms:eu-west-1:111122223333:key/2c3d"
TOPIC: Final = "arn:aws:sns:eu-west-1:111122223333:pager"
FLEET: Final = {
    "StreamArn": STREAM,
    "Processor": "people:Greeter",
    "VpcId": "vpc-1",
    "SubnetIds": ["subnet-1", "subnet-2"],
}
NEEDED: Final[Mapping[str, dict[str, Any]]] = {
    "ecs": {**FLEET, "Image": "image@sha256:0"},
    "ec2": {**FLEET, "ArtefactBucket": "bucket", "ArtefactPrefix": "orders/1"},
    "observability": {"StreamName": "orders"},
    "table": {},
}
"""What has no default; the application is called the same everywhere."""

KEYS: Final = {"CreateTable": "true", "StreamKeyArn": KEY, "TableKeyArn": OTHER_KEY}
LAGS: Final = {"ScaleOutLagSeconds": 70, "ScaleInLagSeconds": 7}
GIVEN: Final[Mapping[str, dict[str, Any]]] = {
    "ecs": {**KEYS, **LAGS, "TasksMin": 3, "TasksMax": 9, "SpotWeight": 0, "LogDays": 7},
    "ec2": {**KEYS, **LAGS, "InstancesMin": 3, "InstancesMax": 9, "CoresMin": 4, "CoresMax": 8},
    "observability": {"TopicArn": TOPIC, "RetentionHours": 48, "LagSeconds": 30},
    "table": {"KeyArn": KEY, "DeletionProtection": "false", "PointInTimeRecovery": "false"},
}
"""What is chosen in the second comparison; the first leaves it to the defaults."""

OTHERWISE: Final = {"AmiId": "ami_parameter", "TopicArn": "topic_arns"}
"""What Terraform calls otherwise: an image has one more variable there; topics may be many."""

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


class Plan:
    """What Terraform plans, of each module."""

    def __init__(self, folder: Path, given: Mapping[str, dict[str, Any]]) -> None:
        copy_deploy(folder)
        terraform = Terraform(folder)
        calls = [
            call(name, app_name=APP, **spelled(NEEDED[name] | given[name]), **AMI.get(name, {}))
            for name in FILES
        ]
        (folder / "main.tf").write_text("\n".join(calls), encoding="utf-8")
        terraform.configure(NOWHERE)
        terraform.init()
        told = terraform.plan()
        self.planned = dict(resources(told["planned_values"]["root_module"]))
        self.calls = told["configuration"]["root_module"]["module_calls"]

    def __call__(self, module: str, address: str) -> Any:
        return self.planned[f"module.{module}.{address}"]

    def expressions(self, module: str, address: str) -> Any:
        """What a resource says before it is worked out."""
        [found] = [
            each["expressions"]
            for each in self.calls[module]["module"]["resources"]
            if each["address"] == address
        ]
        return found

    def of(self, module: str, kind: str) -> dict[str, Any]:
        """All of a kind, by name."""
        start = f"module.{module}.{kind}."
        return {
            name.removeprefix(start): each
            for name, each in self.planned.items()
            if name.startswith(start)
        }


AMI: Final = {"ec2": {"ami_id": "ami-1"}}
"""So that nobody is asked for the newest."""


def spelled(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters as Terraform spells them."""
    return {
        OTHERWISE.get(name, snake(name)): plain(name, each) for name, each in parameters.items()
    }


def snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


def plain(name: str, value: Any) -> Any:
    """A value of CloudFormation, whose truths are words and whose nothing is an empty one."""
    if name == "TopicArn":
        return [value] if value else []
    words = {"true": True, "false": False, "ENABLED": True, "DISABLED": False, "": None}
    return words.get(value, value) if isinstance(value, str) else value


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

    start = f"module.{module}."
    planned = Counter(
        name.removeprefix(start).split(".")[0] for name in plan.planned if name.startswith(start)
    )
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


# ------------------------------------------------------------------------------------ row by row


def rows_of_the_table(template: Template, plan: Plan) -> dict[str, tuple[Any, Any]]:
    cfn, tf = template.properties("Table"), plan("table", "aws_dynamodb_table.leases")
    [index] = cfn["GlobalSecondaryIndexes"]
    [planned] = tf["global_secondary_index"]
    keys = [each["AttributeName"] for each in index["KeySchema"]]
    recovery = cfn["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
    return {
        "name": (cfn["TableName"], tf["name"]),
        "paid by": (cfn["BillingMode"], tf["billing_mode"]),
        "key": ([each["AttributeName"] for each in cfn["KeySchema"]], [tf["hash_key"]]),
        "attributes": (
            {each["AttributeName"]: each["AttributeType"] for each in cfn["AttributeDefinitions"]},
            {each["name"]: each["type"] for each in tf["attribute"]},
        ),
        "index": (index["IndexName"], planned["name"]),
        "keys of the index": (keys, [planned["hash_key"], planned["range_key"]]),
        "in the index": (index["Projection"]["ProjectionType"], planned["projection_type"]),
        "backups": (recovery == "true", tf["point_in_time_recovery"][0]["enabled"]),
        "protected": (
            cfn["DeletionProtectionEnabled"] == "true",
            tf["deletion_protection_enabled"],
        ),
        "encrypted by": (
            [each] if (each := cfn.get("SSESpecification", {}).get("KMSMasterKeyId")) else [],
            [each["kms_key_arn"] for each in tf.get("server_side_encryption", [])],
        ),
    }


def rows_of_ecs(template: Template, plan: Plan) -> dict[str, tuple[Any, Any]]:
    task, planned = template.properties("TaskDefinition"), plan("ecs", TASK)
    [container] = task["ContainerDefinitions"]
    [other] = json.loads(planned["container_definitions"])
    service, tf = template.properties("Service"), plan("ecs", "aws_ecs_service.workers")
    rules, network = service["DeploymentConfiguration"], service["NetworkConfiguration"]
    [platform] = planned["runtime_platform"]
    [breaker] = tf["deployment_circuit_breaker"]
    target, number = template.properties("Tasks"), plan("ecs", "aws_appautoscaling_target.tasks")
    return {
        "container": (comparable(camel(container)), comparable(other)),
        "family": (task["Family"], planned["family"]),
        "cores": (int(task["Cpu"]), int(planned["cpu"])),
        "memory": (int(task["Memory"]), int(planned["memory"])),
        "architecture": (task["RuntimePlatform"]["CpuArchitecture"], platform["cpu_architecture"]),
        "volumes": (
            [each["Name"] for each in task["Volumes"]],
            [each["name"] for each in planned["volume"]],
        ),
        "old tasks stay": (
            (rules["MinimumHealthyPercent"], rules["MaximumPercent"]),
            (tf["deployment_minimum_healthy_percent"], tf["deployment_maximum_percent"]),
        ),
        "circuit breaker": (camel(rules["DeploymentCircuitBreaker"]), breaker),
        "on demand and Spot": (
            {
                each["CapacityProvider"]: (each.get("Base", 0), each["Weight"])
                for each in service["CapacityProviderStrategy"]
            },
            {
                each["capacity_provider"]: (each["base"] or 0, each["weight"])
                for each in tf["capacity_provider_strategy"]
            },
        ),
        "zones": (service["AvailabilityZoneRebalancing"], tf["availability_zone_rebalancing"]),
        "subnets": (
            network["AwsvpcConfiguration"]["Subnets"],
            tf["network_configuration"][0]["subnets"],
        ),
        "public address": (
            network["AwsvpcConfiguration"]["AssignPublicIp"] == "ENABLED",
            tf["network_configuration"][0]["assign_public_ip"],
        ),
        "tags": (service["PropagateTags"], tf["propagate_tags"]),
        "how many": (
            (target["MinCapacity"], target["MaxCapacity"]),
            (number["min_capacity"], number["max_capacity"]),
        ),
        "log is kept": (
            template.properties("LogGroup")["RetentionInDays"],
            plan("ecs", "aws_cloudwatch_log_group.workers")["retention_in_days"],
        ),
        "who may be a task": (
            template.properties("TaskRole")["AssumeRolePolicyDocument"]["Statement"],
            json.loads(plan("ecs", "aws_iam_role.worker")["assume_role_policy"])["Statement"],
        ),
    }


TASK: Final = "aws_ecs_task_definition.worker"


def camel(value: Any) -> Any:
    """Names as ECS spells them, where CloudFormation begins with a capital."""
    if isinstance(value, list):
        return [camel(each) for each in value]
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: camel(each) for key, each in value.items()}
    return value


def comparable(container: dict[str, Any]) -> dict[str, Any]:
    """Without the order of variables; the group of its log has a name only in Terraform."""
    variables = {each["name"]: each["value"] for each in container["environment"]}
    options = {**container["logConfiguration"]["options"], "awslogs-group": ...}
    return {**container, "environment": variables, "logConfiguration": options}


def rows_of_ec2(template: Template, plan: Plan) -> dict[str, tuple[Any, Any]]:
    data, tf = template.properties("Template")["LaunchTemplateData"], plan("ec2", LAUNCHED)
    resource = template.resources["Group"]
    group, planned = resource["Properties"], plan("ec2", "aws_autoscaling_group.workers")
    [hook] = group["LifecycleHookSpecificationList"]
    held = plan("ec2", "aws_autoscaling_lifecycle_hook.drain")
    rolling = resource["UpdatePolicy"]["AutoScalingRollingUpdate"]
    [refresh] = planned["instance_refresh"][0]["preferences"]
    [device] = data["BlockDeviceMappings"]
    [disk] = tf["block_device_mappings"]
    return {
        "metadata": (snaked(data["MetadataOptions"]), known(tf["metadata_options"])),
        "disk": (
            {"device_name": device["DeviceName"], **snaked(device["Ebs"])},
            {"device_name": disk["device_name"], **truths(known(disk["ebs"]))},
        ),
        "full speed of the disk": (data["EbsOptimized"], tf["ebs_optimized"] == "true"),
        "first boot": (booted(data["UserData"]), booted(tf["user_data"])),
        "name of the group": (group["AutoScalingGroupName"], planned["name"]),
        "how many": (
            (group["MinSize"], group["MaxSize"]),
            (planned["min_size"], planned["max_size"]),
        ),
        "health": (group["HealthCheckType"], planned["health_check_type"]),
        "Spot is replaced beforehand": (group["CapacityRebalance"], planned["capacity_rebalance"]),
        "on demand and Spot": mixes(group, planned),
        "kinds of instances": requirements(group, planned),
        "subnets": (sorted(group["VPCZoneIdentifier"]), sorted(planned["vpc_zone_identifier"])),
        "hook": (
            tuple(hook[name] for name in HOOK),
            tuple(held[snake(name)] for name in ("Name", *HOOK[1:])),
        ),
        "new before old": (
            rolling["MinInstancesInService"] == group["MinSize"],
            refresh["min_healthy_percentage"] == 100,
        ),
        "pause between two": (rolling["PauseTime"], f"PT{int(refresh['instance_warmup']) // 60}M"),
        "tags": (
            {(each["Key"], each["Value"], each["PropagateAtLaunch"]) for each in group["Tags"]},
            {(each["key"], each["value"], each["propagate_at_launch"]) for each in planned["tag"]},
        ),
        "what the boot may": (
            template.properties("Role")["Policies"][0]["PolicyDocument"]["Statement"],
            json.loads(plan("ec2", "aws_iam_role_policy.boot")["policy"])["Statement"],
        ),
        "who may be a worker": (
            template.properties("Role")["AssumeRolePolicyDocument"]["Statement"],
            json.loads(plan("ec2", "aws_iam_role.worker")["assume_role_policy"])["Statement"],
        ),
    }


LAUNCHED: Final = "aws_launch_template.workers"
HOOK: Final = ("LifecycleHookName", "LifecycleTransition", "HeartbeatTimeout", "DefaultResult")


def snaked(value: Mapping[str, Any]) -> dict[str, Any]:
    return {snake(name): each for name, each in value.items()}


def known(block: list[dict[str, Any]]) -> dict[str, Any]:
    """The only block of its kind, without what is left to AWS."""
    [only] = block
    return {name: each for name, each in only.items() if each not in (None, "", [], 0)}


def truths(value: Mapping[str, Any]) -> dict[str, Any]:
    words = {"true": True, "false": False}
    return {name: words.get(each, each) for name, each in value.items()}


def booted(data: str) -> tuple[dict[str, str], set[str], str]:
    """The variables of the first boot, the settings among them, and the script below."""
    variables, settings, script = re.split(
        r"SETTINGS='(.*?)'\n", base64.b64decode(data).decode(), maxsplit=1, flags=re.DOTALL
    )
    return (
        dict(re.findall(r"^(\w+)='(.*)'$", variables, re.MULTILINE)),
        {*settings.splitlines()},
        script,
    )


def mixes(group: Any, planned: Any) -> tuple[Any, Any]:
    [mix] = planned["mixed_instances_policy"]
    return (
        snaked(group["MixedInstancesPolicy"]["InstancesDistribution"]),
        known(mix["instances_distribution"]),
    )


def requirements(group: Any, planned: Any) -> tuple[Any, Any]:
    [asked] = group["MixedInstancesPolicy"]["LaunchTemplate"]["Overrides"]
    [mix] = planned["mixed_instances_policy"]
    [override] = mix["launch_template"][0]["override"]
    tf = known(override["instance_requirements"])
    wanted = asked["InstanceRequirements"]
    return (
        (
            snaked(wanted["VCpuCount"]),
            snaked(wanted["MemoryMiB"]),
            wanted["InstanceGenerations"],
        ),
        (known(tf["vcpu_count"]), known(tf["memory_mib"]), tf["instance_generations"]),
    )


def rows_of_observability(template: Template, plan: Plan) -> dict[str, tuple[Any, Any]]:
    cfn = template.properties("Dashboard")
    tf = plan("observability", "aws_cloudwatch_dashboard.this")
    return {
        "name": (cfn["DashboardName"], tf["dashboard_name"]),
        "widgets": (json.loads(cfn["DashboardBody"]), json.loads(tf["dashboard_body"])),
    }


ROWS: Final[Mapping[str, Callable[[Template, Plan], dict[str, tuple[Any, Any]]]]] = {
    "ecs": rows_of_ecs,
    "ec2": rows_of_ec2,
    "observability": rows_of_observability,
    "table": rows_of_the_table,
}


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
        if module == "ecs":
            given = given["StepScalingPolicyConfiguration"]
            [planned] = planned["step_scaling_policy_configuration"]
        assert planned["adjustment_type"] == given["AdjustmentType"]
        assert planned["metric_aggregation_type"] == given["MetricAggregationType"]
        for name in ("Cooldown", "EstimatedInstanceWarmup"):
            assert planned.get(snake(name)) == given.get(name)
        assert [
            {name: float(each) for name, each in step.items() if each not in (None, "")}
            for step in sorted(
                planned["step_adjustment"], key=lambda step: step["metric_interval_lower_bound"]
            )
        ] == [{snake(name): float(each) for name, each in step.items()} for step in given[STEPS]]
        asked = plan.expressions(module, f"aws_cloudwatch_metric_alarm.{alarm}")["alarm_actions"]
        assert asked["references"][0] == f"{kind}.{tf}.arn"


STEPS: Final = "StepAdjustments"


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
