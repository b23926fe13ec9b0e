"""What has somebody who copies the blocks of the how-to pages, and fills in what is theirs?"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

import boto3.session

from tests.deploy.terraform import Terraform, resources
from tests.docs.pages import DOCS, blocks_of

PAGES: Final = ("deploy-on-ecs", "deploy-on-ec2")
REGION: Final = "eu-west-1"
TOPIC: Final = f"arn:aws:sns:{REGION}:123456789012:pager"
STREAM: Final = f"arn:aws:kinesis:{REGION}:123456789012:stream/orders"

_NOT_IN_MOTO: Final = """\
resource "aws_iam_role_policy_attachment" "execution" {{
  policy_arn = "{policy}"
}}
"""
"""moto has none of the policies that AWS manages; one in the account itself stands in."""

_MAY_BE_DELETED: Final = """\
variable "deletion_protection" {
  default = false
}
"""


def blocks(page: str, kind: str) -> list[str]:
    """Of one kind, in order."""
    found = blocks_of(DOCS / "how-to" / f"{page}.md")
    return [each.text for each in found if each.kind == kind]


@dataclass
class Account:
    """An account of moto's, with a network."""

    moto: str
    mark: str = field(default_factory=lambda: uuid.uuid4().hex[:8])

    @cached_property
    def session(self) -> Any:
        return boto3.session.Session("local", "local", region_name=REGION)

    def client(self, service: str) -> Any:
        return self.session.client(service, endpoint_url=self.moto)

    def app(self, page: str) -> str:
        return f"{page}-{self.mark}"

    def filled(self, page: str, text: str) -> str:
        """A block with what its reader has to know."""
        ec2 = self.client("ec2")
        subnets: Iterator[str] = iter(
            each["SubnetId"] for each in ec2.describe_subnets()["Subnets"]
        )
        vpc = ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        text = re.sub(r"\bsubnet-ID\b", lambda _: next(subnets), text)
        for placeholder, value in (
            ("orders-app", self.app(page)),
            ("vpc-ID", vpc),
            ("BUCKET", f"bucket-{self.mark}"),
            ("StreamArn=ARN", f"StreamArn={STREAM}"),
            ("TopicArn=ARN", f"TopicArn={TOPIC}"),
            ('"ARN"', f'"{TOPIC}"'),
        ):
            text = text.replace(placeholder, value)
        return text


@dataclass
class Pages(Account):
    """The HCL of all pages in one configuration.

    Attributes:
        terraform: Where it is.
        resources: By address, as they are planned.
    """

    terraform: Terraform = field(kw_only=True)
    resources: list[tuple[str, Any]] = field(default_factory=list)

    def write(self, scaling: str) -> None:
        """Plan it; `scaling` is where Application Auto Scaling is asked."""
        for page in PAGES:
            [block] = blocks(page, "hcl")
            modules = self.terraform.add(page, self.filled(page, block))
            for module, text in (("ecs", self.any_policy(page)), ("table", _MAY_BE_DELETED)):
                override = modules / module / "moto_override.tf"
                override.write_text(text, encoding="utf-8")
        self.terraform.configure(self.moto, applicationautoscaling=scaling)
        self.terraform.init()
        planned = self.terraform.plan()["planned_values"]["root_module"]
        self.resources = list(resources(planned))

    def any_policy(self, page: str) -> str:
        statement = {"Effect": "Allow", "Action": "logs:PutLogEvents", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        iam = self.client("iam")
        made = iam.create_policy(PolicyName=self.app(page), PolicyDocument=document)
        return _NOT_IN_MOTO.format(policy=made["Policy"]["Arn"])
