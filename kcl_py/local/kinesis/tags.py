"""Which tags do streams and consumers carry, by both families of operations?"""

from __future__ import annotations

import re
from typing import Any

from kcl_py.local.errors import AwsError, invalid
from kcl_py.local.kinesis.account import Account, Answer, Request
from kcl_py.local.parameters import mapping, optional_text, optional_whole, required_text, sequence

# Source of all numbers: TagMap, TagKeyList, TagKey, TagValue of the API reference.
TAGS_MAX = 50
_MAP_MAX = 200
_KEYS_MAX = 50
_KEY_CHARACTERS_MAX = 128
_VALUE_CHARACTERS_MAX = 256
# Source: TagResource. Letters, digits and white space are those of Unicode.
_ALLOWED = re.compile(r"[\w\s.:/=+\-@]*")
_RESOURCE_ARN = re.compile(r"arn:[^:]+:kinesis:[^:]*:\d{12}:(.*(?:stream|channel|queue)/\S+)")


def add_tags(account: Account, request: Request) -> Answer:
    """AddTagsToStream."""
    put_tags(account.changeable(request).tags, _given(request))
    return {}


def remove_tags(account: Account, request: Request) -> Answer:
    """RemoveTagsFromStream; a key that is not there is no error."""
    keys = _given_keys(request)
    tags = account.changeable(request).tags
    for key in keys:
        tags.pop(key, None)
    return {}


def list_tags(account: Account, request: Request) -> Answer:
    """ListTagsForStream, by key."""
    stream = account.find(request)
    after = optional_text(request, "ExclusiveStartTagKey") or ""
    limit = optional_whole(request, "Limit", 1, 50) or 50
    keys = sorted(key for key in stream.tags if key > after)
    return {
        "Tags": [{"Key": key, "Value": stream.tags[key]} for key in keys[:limit]],
        "HasMoreTags": len(keys) > limit,
    }


def tag_resource(account: Account, request: Request) -> Answer:
    """TagResource."""
    given = _given(request)
    put_tags(_tags_of(account, request, is_change=True), given)
    return {}


def untag_resource(account: Account, request: Request) -> Answer:
    """UntagResource."""
    keys = _given_keys(request)
    tags = _tags_of(account, request, is_change=True)
    for key in keys:
        tags.pop(key, None)
    return {}


def list_resource_tags(account: Account, request: Request) -> Answer:
    """ListTagsForResource: all of them, by key."""
    tags = _tags_of(account, request, is_change=False)
    return {"Tags": [{"Key": key, "Value": tags[key]} for key in sorted(tags)]}


def put_tags(tags: dict[str, str], given: dict[str, Any]) -> None:
    """Add or replace tags, all or none."""
    for key, value in given.items():
        _check_key(key)
        _check_value(key, value)
    if len(tags.keys() | given.keys()) > TAGS_MAX:
        raise AwsError("LimitExceededException", f"a resource has at most {TAGS_MAX} tags")
    tags.update(given)


def _given(request: Request) -> dict[str, Any]:
    given = mapping(request, "Tags")
    if not 1 <= len(given) <= _MAP_MAX:
        raise invalid(f"Tags must hold 1 to {_MAP_MAX} tags, not {len(given)}")
    return given


def _given_keys(request: Request) -> list[str]:
    keys = sequence(request, "TagKeys")
    if not 1 <= len(keys) <= _KEYS_MAX:
        raise invalid(f"TagKeys must hold 1 to {_KEYS_MAX} keys, not {len(keys)}")
    for key in keys:
        _check_length(key)
    return keys


def _check_length(key: Any) -> None:  # noqa: ANN401
    if not isinstance(key, str):
        raise AwsError("SerializationException", "the key of a tag must be text")
    if not 1 <= len(key) <= _KEY_CHARACTERS_MAX:
        raise invalid(f"the key of a tag must be 1 to {_KEY_CHARACTERS_MAX} characters")


def _check_key(key: Any) -> None:  # noqa: ANN401
    _check_length(key)
    if key.lower().startswith("aws:"):
        raise AwsError("InvalidArgumentException", f"tag {key}: the prefix aws: is reserved")
    if not _ALLOWED.fullmatch(key):
        raise AwsError("InvalidArgumentException", f"tag {key}: the key has a bad character")


def _check_value(key: str, value: Any) -> None:  # noqa: ANN401
    if not isinstance(value, str):
        raise AwsError("SerializationException", f"the value of tag {key} must be text")
    if len(value) > _VALUE_CHARACTERS_MAX:
        raise invalid(f"the value of a tag must be at most {_VALUE_CHARACTERS_MAX} characters")
    if not _ALLOWED.fullmatch(value):
        raise AwsError("InvalidArgumentException", f"tag {key}: the value has a bad character")


def _tags_of(account: Account, request: Request, *, is_change: bool) -> dict[str, str]:
    arn = required_text(request, "ResourceARN")
    match = _RESOURCE_ARN.fullmatch(arn)
    if match is None:
        raise invalid("ResourceARN is not the ARN of a Kinesis resource")
    kind, _, name = match[1].partition("/")
    if kind == "stream" and "/consumer/" in name:
        return account.consumer(arn)[1].tags
    if kind != "stream":
        raise AwsError("ResourceNotFoundException", f"there is no {match[1]} in this account")
    named = {"StreamARN": arn}
    return (account.changeable(named) if is_change else account.find(named)).tags
