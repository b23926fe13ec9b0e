"""Does a child process with a clean environment find the engine, and nothing else?"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from kcl_py.local.environment import clean_environment

URL = "http://127.0.0.1:4567"
HOSTILE = {
    "AWS_PROFILE": "production",
    "AWS_DEFAULT_PROFILE": "production",
    "AWS_SESSION_TOKEN": "token",
    "AWS_SECURITY_TOKEN": "token",
    "AWS_ROLE_ARN": "arn:aws:iam::1:role/x",
    "AWS_ROLE_SESSION_NAME": "x",
    "AWS_WEB_IDENTITY_TOKEN_FILE": "token",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI": "/x",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN": "x",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
    "AWS_USE_FIPS_ENDPOINT": "true",
    "AWS_USE_DUALSTACK_ENDPOINT": "true",
    "AWS_CA_BUNDLE": "nowhere",
    "REQUESTS_CA_BUNDLE": "nowhere",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:2",
    "AWS_ENDPOINT_URL_KINESIS": "http://127.0.0.1:3",
    "AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:4",
    "AWS_CONFIG_FILE": "hostile-config",
    "AWS_SHARED_CREDENTIALS_FILE": "hostile-credentials",
    "AWS_REGION": "eu-west-9",
    "AWS_DEFAULT_REGION": "eu-west-9",
    "AWS_ACCESS_KEY_ID": "real",
    "AWS_SECRET_ACCESS_KEY": "real",
    "AWS_ACCOUNT_ID": "123456789012",
    "AWS_DATA_PATH": "nowhere",
    "AWS_STS_REGIONAL_ENDPOINTS": "legacy",
    "BOTO_CONFIG": "nowhere",
    "HTTP_PROXY": "http://127.0.0.1:5",
    "http_proxy": "http://127.0.0.1:5",
    "HTTPS_PROXY": "http://127.0.0.1:5",
    "NO_PROXY": "intranet",
    "no_proxy": "localhost, example.org",
}
PROBE = """
import boto3
for service in ("kinesis", "dynamodb"):
    client = boto3.client(service)
    credentials = client._request_signer._credentials.get_frozen_credentials()
    print(client.meta.endpoint_url, client.meta.region_name, credentials.access_key,
          credentials.token)
"""


def test_nothing_hostile_is_left() -> None:
    clean = clean_environment({**HOSTILE, "PATH": "/bin", "AWS_RETRY_MODE": "standard"}, URL)

    assert {name: value for name, value in clean.items() if name.startswith(("AWS", "BOTO"))} == {
        "AWS_ENDPOINT_URL": URL,
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_RETRY_MODE": "standard",
    }
    assert "REQUESTS_CA_BUNDLE" not in clean
    assert clean["PATH"] == "/bin"


def test_proxies_stay_but_not_for_this_machine() -> None:
    clean = clean_environment(HOSTILE, URL)

    assert clean["HTTP_PROXY"] == HOSTILE["HTTP_PROXY"]
    assert clean["NO_PROXY"] == clean["no_proxy"] == "intranet,localhost,example.org,127.0.0.1"


def test_names_are_matched_whatever_their_case() -> None:
    assert "aws_profile" not in clean_environment({"aws_profile": "x"}, URL)


def test_boto3_in_a_child_goes_to_the_engine(tmp_path: Path) -> None:
    config = tmp_path / "hostile"
    config.write_text("[default]\nendpoint_url = http://127.0.0.1:6\nregion = eu-west-9\n")
    hostile = HOSTILE | {"AWS_CONFIG_FILE": str(config)}
    child = clean_environment({**os.environ, **hostile}, URL)

    answer = subprocess.run(
        [sys.executable, "-c", PROBE], env=child, capture_output=True, text=True, check=True
    )

    assert answer.stdout.splitlines() == [f"{URL} us-east-1 local None"] * 2
