"""What decides how a fleet behaves, by name: as CloudFormation says it, and as Terraform does."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from tests.deploy.parity import Plan, snake
from tests.deploy.template import Template


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
        "another mix is a new deployment": (
            service["ForceNewDeployment"]["EnableForceNewDeployment"],
            tf["force_new_deployment"],
        ),
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
        "CPU is told each minute": (snaked(data["Monitoring"]), known(tf["monitoring"])),
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
