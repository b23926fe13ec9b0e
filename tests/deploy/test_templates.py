"""Do the CloudFormation templates say what they should, and grant what the code needs, no more?"""

from __future__ import annotations

import base64
import importlib
import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kcl_py import TableConfig, WorkerConfig
from kcl_py.aws.table_setup import create_request
from kcl_py.iam import Role, Scope, policy
from kcl_py.settings import env_name, known_settings
from tests.deploy.files import DEPLOY, load, ran, tool
from tests.deploy.template import Template, read

FOLDER = DEPLOY / "cloudformation"
STREAM = "arn:aws:kinesis:eu-west-1:111122223333:stream/orders"
KEY = "arn:aws:kms:eu-west-1:111122223333:key/0a1b"
OTHER_KEY = "arn:aws:kms:eu-west-1:111122223333:key/2c3d"
APP = "orders-app"


def ecs(**given: Any) -> Template:
    needed = {
        "AppName": APP,
        "StreamArn": STREAM,
        "Image": "image@sha256:0",
        "Processor": "people:Greeter",
        "VpcId": "vpc-1",
        "SubnetIds": ["subnet-1", "subnet-2"],
    }
    return read(FOLDER / "ecs-fargate.yaml", **{**needed, **given})


def ec2(**given: Any) -> Template:
    needed = {
        "AppName": APP,
        "StreamArn": STREAM,
        "ArtefactBucket": "bucket",
        "ArtefactPrefix": "orders/1",
        "Processor": "people:Greeter",
        "VpcId": "vpc-1",
        "SubnetIds": ["subnet-1", "subnet-2"],
    }
    return read(FOLDER / "ec2-asg.yaml", **{**needed, **given})


def observability(**given: Any) -> Template:
    return read(FOLDER / "observability.yaml", AppName=APP, StreamName="orders", **given)


def container() -> Any:
    [only] = ecs().properties("TaskDefinition")["ContainerDefinitions"]
    return only


def variables(of: Any) -> dict[str, str]:
    return {each["Name"]: each["Value"] for each in of["Environment"]}


# -------------------------------------------------------------------------------------------- lint


def test_cfn_lint_finds_nothing() -> None:
    said = ran([tool("cfn-lint"), "--", *sorted(FOLDER.iterdir())])

    assert (said.returncode, said.stdout, said.stderr) == (0, "", "")


def test_cfn_lint_would_have_found_an_action_that_is_none(tmp_path: Path) -> None:
    text = (FOLDER / "ecs-fargate.yaml").read_text(encoding="utf-8")
    bad = tmp_path / "bad.yaml"
    bad.write_text(text.replace("kinesis:GetRecords", "kinesis:GetRecordz"), encoding="utf-8")

    assert "'getrecordz' is not one of" in ran([tool("cfn-lint"), "--", bad]).stdout


# ---------------------------------------------------------------------------------------- policies


@pytest.mark.parametrize("create", ["true", "false"])
@pytest.mark.parametrize("keys", [("", ""), (KEY, OTHER_KEY)])
def test_tasks_may_do_what_a_worker_needs_and_no_more(create: str, keys: tuple[str, str]) -> None:
    made = ecs(CreateTable=create, StreamKeyArn=keys[0], TableKeyArn=keys[1])
    role = made.properties("TaskRole")

    [inline] = role["Policies"]
    assert "ManagedPolicyArns" not in role
    assert by_name(inline["PolicyDocument"]) == by_name(policy(Role.WORKER, scope(create, keys)))


@pytest.mark.parametrize("create", ["true", "false"])
@pytest.mark.parametrize("keys", [("", ""), (KEY, OTHER_KEY)])
def test_instances_may_do_that_and_hold_their_hook(create: str, keys: tuple[str, str]) -> None:
    made = ec2(CreateTable=create, StreamKeyArn=keys[0], TableKeyArn=keys[1])
    boot, worker = made.properties("Role")["Policies"]
    group = made.properties("Group")["AutoScalingGroupName"]

    wanted = policy(Role.WORKER, scope(create, keys, group=group))
    assert by_name(worker["PolicyDocument"]) == by_name(wanted)
    assert [each["Action"] for each in boot["PolicyDocument"]["Statement"]] == [
        ["s3:GetObject"],
        ["s3:ListBucket"],
    ]
    assert all("bucket" in each["Resource"] for each in boot["PolicyDocument"]["Statement"])


def scope(create: str, keys: tuple[str, str], *, group: str | None = None) -> Scope:
    return Scope(
        stream_arn=STREAM,
        table=APP,
        create_table=create == "true",
        stream_key=keys[0] or None,
        table_key=keys[1] or None,
        metrics=APP,
        group=group,
    )


def by_name(document: Any) -> dict[str, Any]:
    return {
        each["Sid"]: {**each, "Action": sorted(each["Action"])} for each in document["Statement"]
    }


# -------------------------------------------------------------------------------------- lease table


def test_the_table_is_the_one_that_a_worker_would_create() -> None:
    table = read(FOLDER / "table.yaml", AppName=APP, KeyArn=KEY).properties("Table")
    wanted = create_request(APP, TableConfig(deletion_protection=True, kms_key=KEY))

    same = ("TableName", "BillingMode", "KeySchema", "GlobalSecondaryIndexes")
    assert {name: table[name] for name in same} == {name: wanted[name] for name in same}
    assert table["AttributeDefinitions"] == wanted["AttributeDefinitions"]
    assert table["SSESpecification"]["KMSMasterKeyId"] == KEY


def test_the_table_outlives_its_stack() -> None:
    made = read(FOLDER / "table.yaml", AppName=APP)
    table = made.resources["Table"]

    assert table["DeletionPolicy"].startswith("Retain")
    assert table["UpdateReplacePolicy"] == "Retain"
    assert table["Properties"]["DeletionProtectionEnabled"] == "true"
    assert "SSESpecification" not in table["Properties"]


# --------------------------------------------------------------------------------------------- ECS


def test_a_task_drains_within_the_time_that_it_is_given() -> None:
    granted = container()["StopTimeout"]
    grace = float(variables(container())["KCL_STOP_GRACE"].removesuffix("s"))

    assert granted == 120
    assert WorkerConfig().leases.handoff_timeout < grace <= granted - 10


def test_a_task_is_no_root_and_writes_to_tmp_alone() -> None:
    task = container()

    assert task["User"] == "10001:10001"
    assert task["ReadonlyRootFilesystem"] is True
    assert task["LinuxParameters"] == {
        "InitProcessEnabled": True,
        "Capabilities": {"Drop": ["ALL"]},
    }
    assert [each["ContainerPath"] for each in task["MountPoints"]] == ["/tmp"]
    assert variables(task)["KCL_HEALTH_FILE"].startswith("/tmp/")


def test_a_task_asks_after_life_as_the_image_does() -> None:
    from_image = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    command = container()["HealthCheck"]["Command"]

    assert json.dumps(command[1:]) in from_image
    assert container()["HealthCheck"]["StartPeriod"] == 60
    assert "--start-period=60s" in from_image


def test_a_log_that_stalls_does_not_stall_the_worker() -> None:
    assert container()["LogConfiguration"]["Options"]["mode"] == "non-blocking"


def test_new_tasks_come_before_old_ones_go_and_a_bad_deployment_is_taken_back() -> None:
    service = ecs().properties("Service")
    rules = service["DeploymentConfiguration"]

    assert (rules["MinimumHealthyPercent"], rules["MaximumPercent"]) == (100, 200)
    assert rules["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert "DesiredCount" not in service, "the scaling decides"


def test_one_task_is_on_demand_whatever_the_mix() -> None:
    mixed = ecs().properties("Service")["CapacityProviderStrategy"]
    plain = ecs(SpotWeight=0).properties("Service")["CapacityProviderStrategy"]

    assert mixed[0] == {"CapacityProvider": "FARGATE", "Base": 1, "Weight": 1}
    assert mixed[1]["CapacityProvider"] == "FARGATE_SPOT"
    assert plain == mixed[:1]


@pytest.mark.parametrize("make", [ecs, ec2])
def test_workers_may_reach_what_is_theirs_by_groups_of_yours(make: Callable[..., Template]) -> None:
    def groups(template: Template) -> Any:
        if make is ec2:
            return template.properties("Template")["LaunchTemplateData"]["SecurityGroupIds"]
        network = template.properties("Service")["NetworkConfiguration"]
        return network["AwsvpcConfiguration"]["SecurityGroups"]

    assert groups(make()) == ["<SecurityGroup>"]
    more = make(SecurityGroupIds=["sg-1", "sg-2"])
    assert groups(more) == ["<SecurityGroup>", "sg-1", "sg-2"]
    assert (
        more.resolve(more.body["Outputs"]["SecurityGroupId"]["Value"]) == "<SecurityGroup.GroupId>"
    )


def test_another_mix_is_a_new_deployment() -> None:
    """ECS refuses a change of the strategy that does not force one."""
    forced = [ecs(SpotWeight=each).properties("Service")["ForceNewDeployment"] for each in (0, 3)]

    assert all(each["EnableForceNewDeployment"] is True for each in forced)
    assert forced[0]["ForceNewDeploymentNonce"] != forced[1]["ForceNewDeploymentNonce"]


@pytest.mark.parametrize(
    ("template", "name", "role"),
    [(ecs(), "TaskRoleName", "TaskRole"), (ec2(), "RoleName", "Role")],
    ids=["ecs", "ec2"],
)
def test_the_role_is_named_for_what_the_program_needs(
    template: Template, name: str, role: str
) -> None:
    assert template.resolve(template.body["Outputs"][name]["Value"]) == f"<{role}>"


@pytest.mark.parametrize("template", [ecs(), ec2()], ids=["ecs", "ec2"])
def test_scaling_follows_the_lag_of_the_application_alone(template: Template) -> None:
    for alarm in ("LagIsHigh", "FleetIsIdle"):
        metrics = template.properties(alarm)["Metrics"]
        [lag] = [each for each in metrics if each["Id"] == "lag"]
        assert lag["MetricStat"]["Metric"] == {
            "Namespace": APP,
            "MetricName": "MillisBehindLatest",
            "Dimensions": [{"Name": "Operation", "Value": "ApplicationTracker"}],
        }
        assert lag["MetricStat"]["Stat"] == "Maximum"
    assert template.properties("LagIsHigh")["AlarmActions"] == ["<ScaleOut>"]
    assert template.properties("FleetIsIdle")["AlarmActions"] == ["<ScaleIn>"]
    assert template.properties("FleetIsIdle")["EvaluationPeriods"] == 15


@pytest.mark.parametrize("template", [ecs(), ec2()], ids=["ecs", "ec2"])
def test_one_goes_and_the_next_only_after_as_long_a_look(template: Template) -> None:
    """An alarm asks each minute for as long as it lasts, so the policy has to rest.

    Source: PutScalingPolicy of EC2 Auto Scaling, Cooldown: "Valid only if the policy type is
    SimpleScaling". Those of other services may rest between steps.
    """
    policy, alarm = (template.properties(name) for name in ("ScaleIn", "FleetIsIdle"))
    [last] = [each for each in alarm["Metrics"] if each["Id"] == "lag"]
    own = policy.get("StepScalingPolicyConfiguration", policy)

    is_ec2 = template.resources["ScaleIn"]["Type"] == "AWS::AutoScaling::ScalingPolicy"
    assert policy["PolicyType"] == ("SimpleScaling" if is_ec2 else "StepScaling")
    seconds = alarm["EvaluationPeriods"] * last["MetricStat"]["Period"]
    assert int(own["Cooldown"]) >= seconds


@pytest.mark.parametrize("template", [ecs(), ec2()], ids=["ecs", "ec2"])
def test_nobody_calls_workers_and_they_call_by_tls_alone(template: Template) -> None:
    group = template.properties("SecurityGroup")

    assert "SecurityGroupIngress" not in group
    assert [(each["FromPort"], each["ToPort"]) for each in group["SecurityGroupEgress"]] == [
        (443, 443)
    ]


def test_every_variable_of_a_task_is_a_setting() -> None:
    assert unknown(set(variables(container()))) == set()


def unknown(names: set[str]) -> set[str]:
    known = {env_name(name) for name in known_settings()} | {"KCL_APP_NAME", "KCL_STREAM"}
    return {name for name in names if name.startswith("KCL_")} - known


# --------------------------------------------------------------------------------------------- EC2


def user_data() -> str:
    data = ec2().properties("Template")["LaunchTemplateData"]["UserData"]
    return base64.b64decode(data).decode()


def test_an_instance_boots_with_the_script_as_it_is(tmp_path: Path) -> None:
    script = (DEPLOY / "ec2" / "user-data.sh").read_text(encoding="utf-8")
    whole = tmp_path / "user-data.sh"
    whole.write_text(user_data(), encoding="utf-8")

    assert user_data().endswith(script)
    assert user_data().startswith("#!/usr/bin/env bash\nARTEFACTS='s3://bucket/orders/1'\n")
    said = ran([tool("shellcheck"), whole])
    assert (said.returncode, said.stdout) == (0, "")


def test_every_variable_of_an_instance_is_a_setting() -> None:
    settings = user_data().partition("SETTINGS='")[2].partition("'")[0].splitlines()
    names = {line.partition("=")[0] for line in settings}

    assert {"KCL_STREAM", "KCL_NOTICES_LIFECYCLE_HOOK"} <= names
    group = ec2().properties("Group")["AutoScalingGroupName"]
    assert f"KCL_NOTICES_AUTO_SCALING_GROUP={group}" in settings
    assert unknown(names) == set()


def test_instances_know_the_second_version_of_their_metadata_alone() -> None:
    data = ec2().properties("Template")["LaunchTemplateData"]

    assert data["MetadataOptions"]["HttpTokens"] == "required"
    assert data["MetadataOptions"]["HttpPutResponseHopLimit"] == 1
    assert "InstanceMetadataTags" not in data["MetadataOptions"]
    assert "KeyName" not in data
    assert all(each["Ebs"]["Encrypted"] for each in data["BlockDeviceMappings"])


def test_instances_tell_of_their_cpu_as_often_as_it_is_asked_for() -> None:
    """Each five minutes unless asked otherwise, and an alarm that waits for more never comes."""
    data = ec2().properties("Template")["LaunchTemplateData"]
    [cpu] = [each for each in ec2().properties("FleetIsIdle")["Metrics"] if each["Id"] == "cpu"]

    told = 60 if data.get("Monitoring", {}).get("Enabled") else 300
    assert cpu["MetricStat"]["Period"] >= told


def test_an_update_has_room_for_one_instance_more() -> None:
    """CloudFormation refuses an update whose MinInstancesInService is not below MaxSize."""

    def is_taken(**given: int) -> bool:
        template = ec2(**given)
        [rule] = template.body["Rules"]["RoomForOneMore"]["Assertions"]
        return bool(template.resolve(rule["Assert"]))

    policy = ec2().resources["Group"]["UpdatePolicy"]["AutoScalingRollingUpdate"]
    assert policy["MinInstancesInService"] < ec2().properties("Group")["MaxSize"]
    assert is_taken()
    assert not is_taken(InstancesMin=3, InstancesMax=3)


def test_an_instance_is_held_until_it_has_drained() -> None:
    group = ec2().properties("Group")
    [hook] = group["LifecycleHookSpecificationList"]

    assert hook["LifecycleTransition"] == "autoscaling:EC2_INSTANCE_TERMINATING"
    assert f"KCL_NOTICES_LIFECYCLE_HOOK={hook['LifecycleHookName']}\n" in user_data()
    assert hook["HeartbeatTimeout"] > 120
    assert hook["DefaultResult"] == "CONTINUE"


def test_one_instance_is_on_demand_whatever_the_mix() -> None:
    group = ec2().properties("Group")

    mix = group["MixedInstancesPolicy"]["InstancesDistribution"]
    assert mix["OnDemandBaseCapacity"] == 1
    assert mix["SpotAllocationStrategy"] == "price-capacity-optimized"
    assert group["CapacityRebalance"] is True


# ----------------------------------------------------------------------------------- observability


def test_the_dashboard_is_json_about_this_application() -> None:
    body = json.loads(observability().properties("Dashboard")["DashboardBody"])

    shown = [each for widget in body["widgets"] for each in widget["properties"]["metrics"]]
    names = {each[1] for each in shown if each[0] == APP}
    assert {"MillisBehindLatest", "RecordsProcessed"} <= names
    assert all(widget["properties"]["region"] == "eu-west-1" for widget in body["widgets"])
    assert len({(w["x"], w["y"]) for w in body["widgets"]}) == len(body["widgets"])


def test_alarms_reach_a_topic_if_there_is_one() -> None:
    topic = "arn:aws:sns:eu-west-1:111122223333:pager"
    for alarm in alarms(observability(TopicArn=topic)):
        assert alarm["AlarmActions"] == alarm["OKActions"] == [topic]
    for alarm in alarms(observability()):
        assert "AlarmActions" not in alarm


def test_silence_is_an_alarm() -> None:
    assert observability().properties("NobodyReads")["TreatMissingData"] == "breaching"


def alarms(template: Template) -> list[Any]:
    found = [
        each["Properties"]
        for each in template.resources.values()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    ]
    assert len(found) == 6
    return found


def test_metrics_are_called_as_the_code_calls_them() -> None:
    """The mapping of each template against the catalogue of metrics."""
    if importlib.util.find_spec("kcl_py.metrics") is None:
        pytest.skip("kcl_py.metrics is not there yet")
    catalogue = importlib.import_module("kcl_py.metrics.catalogue").METRICS
    known = {(each.cloudwatch, each.operation) for each in catalogue}

    used = {
        (each["Name"], each.get("Operation") or each["Value"])
        for template in (ecs(), ec2(), observability())
        for each in template.body["Mappings"]["Metrics"].values()
    }
    assert used - known == set()


def test_all_templates_are_tried_here() -> None:
    assert {path.name for path in FOLDER.iterdir()} == {
        "ec2-asg.yaml",
        "ecs-fargate.yaml",
        "observability.yaml",
        "table.yaml",
    }
    assert load(DEPLOY / "compose.yaml")["name"] == "kcl-fleet"
