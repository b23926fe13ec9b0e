"""What is a template, and what does Terraform plan for the module of its name?"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from tests.deploy.files import DEPLOY
from tests.deploy.terraform import NOWHERE, Terraform, call, copy_deploy, resources

FOLDER: Final = DEPLOY / "cloudformation"
FILES: Final = {
    "ecs": "ecs-fargate.yaml",
    "ec2": "ec2-asg.yaml",
    "observability": "observability.yaml",
    "table": "table.yaml",
}
APP: Final = "orders." + 120 * "x"
"""Longer than what some names of AWS may be, which are cut."""

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

GROUPS: Final = {"SecurityGroupIds": ["sg-1", "sg-2"]}
KEYS: Final = {"CreateTable": "true", "StreamKeyArn": KEY, "TableKeyArn": OTHER_KEY}
LAGS: Final = {"ScaleOutLagSeconds": 70, "ScaleInLagSeconds": 7}
GIVEN: Final[Mapping[str, dict[str, Any]]] = {
    "ecs": {**GROUPS, **KEYS, **LAGS, "TasksMin": 3, "TasksMax": 9, "SpotWeight": 0, "LogDays": 7},
    "ec2": {
        **GROUPS,
        **KEYS,
        **LAGS,
        "InstancesMin": 3,
        "InstancesMax": 9,
        "CoresMin": 4,
        "CoresMax": 8,
    },
    "observability": {"TopicArn": TOPIC, "RetentionHours": 48, "LagSeconds": 30},
    "table": {"KeyArn": KEY, "DeletionProtection": "false", "PointInTimeRecovery": "false"},
}
"""What is chosen in the second comparison; the first leaves it to the defaults."""

OTHERWISE: Final = {"AmiId": "ami_parameter", "TopicArn": "topic_arns"}
"""What Terraform calls otherwise: an image has one more variable there; topics may be many."""


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

    def acting(self, module: str, alarm: str) -> list[str]:
        """What an alarm of the scaling inside a module acts upon: references, nearest last."""
        call = self.calls[module]["module"]["module_calls"]["scaling"]
        [found] = [
            each["expressions"]["alarm_actions"]["references"]
            for each in call["module"]["resources"]
            if each["address"] == f"aws_cloudwatch_metric_alarm.{alarm}"
        ]
        [variable] = found
        return [*call["expressions"][variable.removeprefix("var.")]["references"], variable]

    def kinds(self, module: str) -> Iterator[tuple[str, str, Any]]:
        """Kind, name and values of all that a module makes, with those inside it."""
        for address, each in self.planned.items():
            if address.startswith(f"module.{module}."):
                kind, name = address.split(".")[-2:]
                yield kind, name, each

    def of(self, module: str, kind: str) -> dict[str, Any]:
        """All of a kind, by name."""
        return {name: each for found, name, each in self.kinds(module) if found == kind}


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
    if name in ("SecurityGroupIds", "TopicArn"):
        return [value] if isinstance(value, str) and value else list(value)
    words = {"true": True, "false": False, "ENABLED": True, "DISABLED": False, "": None}
    return words.get(value, value) if isinstance(value, str) else value
