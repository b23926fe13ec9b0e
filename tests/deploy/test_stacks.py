"""What do the stacks become when something makes them? moto does, as far as it goes.

Its address is in KCL_TEST_MOTO, as for `tests/conformance`. Each resource is looked at through its
own service; what moto does not make is named below, and what can be made of it directly is.
"""

from __future__ import annotations

import ast
import base64
import json
import os
import uuid
from pathlib import Path
from typing import Any

import boto3.session
import pytest

from kcl_py import TableConfig
from kcl_py.aws.retry import Patience
from kcl_py.aws.table_setup import open_table
from kcl_py.iam import Role, Scope, policy
from tests.deploy.files import DEPLOY
from tests.deploy.template import Template, read

MOTO = os.environ.get("KCL_TEST_MOTO")
REGION = "eu-west-1"
ACCOUNT = "123456789012"
STREAM = f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/orders"
FOLDER = DEPLOY / "cloudformation"

NOT_MADE = {
    "AWS::ApplicationAutoScaling::ScalableTarget",
    "AWS::ApplicationAutoScaling::ScalingPolicy",
    "AWS::AutoScaling::ScalingPolicy",
    "AWS::CloudWatch::Alarm",
}
"""moto passes these over, with a warning at most; the tests below ask the services for the same."""

LOOKED_AT = {
    "AWS::AutoScaling::AutoScalingGroup",
    "AWS::CloudWatch::Dashboard",
    "AWS::DynamoDB::Table",
    "AWS::EC2::LaunchTemplate",
    "AWS::EC2::SecurityGroup",
    "AWS::ECS::Cluster",
    "AWS::ECS::Service",
    "AWS::ECS::TaskDefinition",
    "AWS::IAM::InstanceProfile",
    "AWS::IAM::Role",
    "AWS::Logs::LogGroup",
}

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.skipif(MOTO is None, reason="moto: KCL_TEST_MOTO is not set; .ci/engines has it"),
]


class Account:
    """An AWS account of moto's, and what a stack made in it."""

    def __init__(self) -> None:
        self.session = boto3.session.Session("local", "local", region_name=REGION)
        self.app = f"app-{uuid.uuid4().hex[:8]}"
        ec2 = self.client("ec2")
        self.vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        self.subnets = [each["SubnetId"] for each in ec2.describe_subnets()["Subnets"][:2]]

    def client(self, service: str) -> Any:
        made: Any = self.session
        return made.client(service, endpoint_url=MOTO)

    def make(self, file: str, **parameters: str) -> dict[str, str]:
        """Create a stack and return its outputs."""
        formation, name = self.client("cloudformation"), f"stack-{uuid.uuid4().hex[:8]}"
        formation.create_stack(
            StackName=name,
            TemplateBody=(FOLDER / file).read_text(encoding="utf-8"),
            Parameters=[
                {"ParameterKey": key, "ParameterValue": value}
                for key, value in {"AppName": self.app, **parameters}.items()
            ],
            Capabilities=["CAPABILITY_IAM"],
        )
        [stack] = formation.describe_stacks(StackName=name)["Stacks"]
        assert stack["StackStatus"] == "CREATE_COMPLETE"
        return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}

    def network(self) -> dict[str, str]:
        return {"VpcId": self.vpc, "SubnetIds": ",".join(self.subnets)}


@pytest.fixture
def account() -> Account:
    return Account()


def granted(account: Account, role_arn: str, name: str) -> dict[str, Any]:
    found = account.client("iam").get_role_policy(
        RoleName=role_arn.rpartition("/")[2], PolicyName=name
    )["PolicyDocument"]
    # moto keeps it as Python writes it.
    found = ast.literal_eval(found) if isinstance(found, str) else found
    # It also keeps nothing in the place of what a condition takes out.
    return {each["Sid"]: each for each in found["Statement"] if each is not None}


def wanted(**scope: Any) -> dict[str, Any]:
    document = policy(Role.WORKER, Scope(stream_arn=STREAM, **scope))
    return {each["Sid"]: each for each in document["Statement"]}


# ------------------------------------------------------------------------------------------- table


def test_a_worker_can_use_the_table_as_it_is(account: Account) -> None:
    made = account.make("table.yaml")

    opened = open_table(
        account.client("dynamodb"),
        TableConfig(create=False),
        account.app,
        patience=Patience(),
        on_progress=print,
    )
    assert opened.name == made["TableName"] == account.app
    assert opened.has_index


# --------------------------------------------------------------------------------------------- ECS


def test_a_service_on_fargate(account: Account) -> None:
    made = account.make(
        "ecs-fargate.yaml",
        StreamArn=STREAM,
        Image="image@sha256:0",
        Processor="people:Greeter",
        **account.network(),
    )
    ecs = account.client("ecs")
    [service] = ecs.describe_services(cluster=made["ClusterName"], services=[made["ServiceName"]])[
        "services"
    ]
    task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    [container] = task["containerDefinitions"]

    assert task["family"] == account.app
    assert container["command"][:2] == ["run", "people:Greeter"]
    assert container["readonlyRootFilesystem"] is True
    assert container["stopTimeout"] == 120
    assert container["healthCheck"]["command"][1:] == ["python3", "-m", "kcl_py.health"]
    assert granted(account, made["TaskRoleArn"], "worker") == wanted(
        table=account.app, create_table=False, metrics=account.app
    )
    [cluster] = ecs.describe_clusters(clusters=[made["ClusterName"]])["clusters"]
    assert cluster["status"] == "ACTIVE"
    [group] = account.client("logs").describe_log_groups(logGroupNamePrefix=made["LogGroupName"])[
        "logGroups"
    ]
    assert group["retentionInDays"] == 30
    assert lets_nothing_in(account)


def test_a_task_definition_is_what_the_service_takes(account: Account) -> None:
    """Moto's stacks leave half of it out; the service itself is asked here."""
    given = camel(whole("ecs-fargate.yaml").properties("TaskDefinition"))

    made = account.client("ecs").register_task_definition(**given)["taskDefinition"]
    assert made["requiresCompatibilities"] == ["FARGATE"]
    assert "FARGATE" in made["compatibilities"]
    assert made["networkMode"] == "awsvpc"
    assert made["runtimePlatform"]["cpuArchitecture"] == "X86_64"


def camel(value: Any) -> Any:
    """Names as the service spells them, where CloudFormation begins with a capital."""
    if isinstance(value, list):
        return [camel(each) for each in value]
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: camel(each) for key, each in value.items()}
    return value


def lets_nothing_in(account: Account) -> bool:
    """Whether the workers' security group does; moto lets all out, whatever is asked for."""
    [group] = account.client("ec2").describe_security_groups(
        Filters=[{"Name": "description", "Values": [f"Workers of {account.app}"]}]
    )["SecurityGroups"]
    return bool(group["IpPermissions"] == [])


# --------------------------------------------------------------------------------------------- EC2


def test_a_group_on_ec2(account: Account) -> None:
    made = account.make(
        "ec2-asg.yaml",
        StreamArn=STREAM,
        ArtefactBucket="bucket",
        ArtefactPrefix="orders/1",
        Processor="people:Greeter",
        **account.network(),
    )
    scaling = account.client("autoscaling")
    name = {"AutoScalingGroupName": made["GroupName"]}
    [group] = scaling.describe_auto_scaling_groups(AutoScalingGroupNames=[made["GroupName"]])[
        "AutoScalingGroups"
    ]
    launched = group["MixedInstancesPolicy"]["LaunchTemplate"]["LaunchTemplateSpecification"]
    [version] = account.client("ec2").describe_launch_template_versions(
        LaunchTemplateId=launched["LaunchTemplateId"]
    )["LaunchTemplateVersions"]
    data = version["LaunchTemplateData"]

    assert (group["MinSize"], group["MaxSize"]) == (2, 8)
    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert b"ARTEFACTS='s3://bucket/orders/1'\n" in base64.b64decode(data["UserData"])
    assert f"APP_NAME='{account.app}'\n".encode() in base64.b64decode(data["UserData"])
    profile = data["IamInstanceProfile"]["Arn"].rpartition("/")[2]
    roles = account.client("iam").get_instance_profile(InstanceProfileName=profile)
    assert [each["Arn"] for each in roles["InstanceProfile"]["Roles"]] == [made["RoleArn"]]
    assert granted(account, made["RoleArn"], "worker") == wanted(
        table=account.app, create_table=False, metrics=account.app, group=made["GroupName"]
    )
    assert lets_nothing_in(account)
    # Left out of the stack by moto; the service itself is asked for the same.
    for each in ("ScaleOut", "ScaleIn"):
        given = whole("ec2-asg.yaml").properties(each)
        rest = {"Cooldown": int(given["Cooldown"])} if "Cooldown" in given else {}
        scaling.put_scaling_policy(**{**given, **rest, **name, "PolicyName": each})
    policies = scaling.describe_policies(**name, PolicyNames=["ScaleOut", "ScaleIn"])
    up, down = (
        [one for one in policies["ScalingPolicies"] if one["PolicyName"] == each]
        for each in ("ScaleOut", "ScaleIn")
    )
    assert [step["ScalingAdjustment"] for step in up[0]["StepAdjustments"]] == [1, 3]
    assert (down[0]["ScalingAdjustment"], down[0]["Cooldown"]) == (-1, 900)


# ------------------------------------------------------------------------------------------- alarms


def test_a_dashboard(account: Account) -> None:
    made = account.make("observability.yaml", StreamName="orders")

    body = account.client("cloudwatch").get_dashboard(DashboardName=made["DashboardName"])
    assert len(json.loads(body["DashboardBody"])["widgets"]) == 6


def whole(file: str) -> Template:
    body = (FOLDER / file).read_text(encoding="utf-8")
    given = {
        name: value
        for name, value in {
            "AppName": "orders-app",
            "StreamArn": STREAM,
            "StreamName": "orders",
            "Image": "image",
            "Processor": "a:B",
            "VpcId": "vpc-1",
            "SubnetIds": ["subnet-1"],
            "ArtefactBucket": "bucket",
            "ArtefactPrefix": "p",
        }.items()
        if f"\n  {name}:\n" in body.partition("\nResources:")[0]
    }
    return read(FOLDER / file, **given)


FILES = sorted(path.name for path in Path(FOLDER).iterdir())


@pytest.mark.parametrize("file", FILES)
def test_alarms_are_what_the_service_takes(account: Account, file: str) -> None:
    cloudwatch = account.client("cloudwatch")
    alarms = {
        name: each["Properties"]
        for name, each in whole(file).resources.items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }
    for name, given in alarms.items():
        spelled = {**given, "AlarmName": f"{account.app}-{name}"}
        for each in spelled["Metrics"]:
            each["ReturnData"] = each.get("ReturnData", True) not in (False, "false")
        cloudwatch.put_metric_alarm(**spelled)

    made = cloudwatch.describe_alarms(AlarmNamePrefix=account.app)["MetricAlarms"]
    assert {each["AlarmName"] for each in made} == {f"{account.app}-{name}" for name in alarms}
    for each in made:
        assert sum(metric["ReturnData"] for metric in each["Metrics"]) == 1


def test_tasks_are_scaled_as_the_service_takes_it(account: Account) -> None:
    scaling, template = account.client("application-autoscaling"), whole("ecs-fargate.yaml")
    target = template.properties("Tasks")
    place = {name: target[name] for name in ("ServiceNamespace", "ScalableDimension")}
    ecs = account.client("ecs")
    ecs.create_cluster(clusterName=account.app)
    ecs.register_task_definition(
        family=account.app, containerDefinitions=[{"name": "a", "image": "a", "memory": 128}]
    )
    ecs.create_service(
        cluster=account.app, serviceName="s", taskDefinition=account.app, desiredCount=1
    )
    place["ResourceId"] = f"service/{account.app}/s"
    scaling.register_scalable_target(
        **place, MinCapacity=target["MinCapacity"], MaxCapacity=target["MaxCapacity"]
    )

    for name in ("ScaleOut", "ScaleIn"):
        given = template.properties(name)
        scaling.put_scaling_policy(
            **place,
            PolicyName=given["PolicyName"],
            PolicyType=given["PolicyType"],
            StepScalingPolicyConfiguration=given["StepScalingPolicyConfiguration"],
        )

    made = scaling.describe_scaling_policies(ServiceNamespace="ecs", ResourceId=place["ResourceId"])
    assert len(made["ScalingPolicies"]) == 2


def test_every_kind_of_resource_is_looked_at_or_named_as_not_made() -> None:
    kinds = {each["Type"] for file in FILES for each in whole(file).resources.values()}

    assert kinds == LOOKED_AT | NOT_MADE
