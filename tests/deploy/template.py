"""What does a CloudFormation template become with these parameters?

Resolves what our templates use. A resource that is referred to becomes `<Name>`, and its attribute
`<Name.Attribute>`; so what is left can be compared as plain data.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

PSEUDO: Final = {
    "AWS::Partition": "aws",
    "AWS::Region": "eu-west-1",
    "AWS::AccountId": "111122223333",
    "AWS::URLSuffix": "amazonaws.com",
    "AWS::StackName": "stack",
}
_GONE: Final = object()
_VARIABLE: Final = re.compile(r"\$\{([^!}]+)\}")


class _Loader(yaml.SafeLoader):
    """YAML with the short spellings of CloudFormation's functions."""


def _short(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    if suffix == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short)


@dataclass
class Template:
    """A template, and what its parameters are."""

    body: Mapping[str, Any]
    parameters: Mapping[str, Any]

    @property
    def resources(self) -> dict[str, Any]:
        """All of them, resolved."""
        found: dict[str, Any] = self.resolve(self.body["Resources"])
        return found

    def properties(self, name: str) -> Any:
        return self.resources[name]["Properties"]

    def resolve(self, value: Any) -> Any:
        if isinstance(value, list):
            return [each for each in map(self.resolve, value) if each is not _GONE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            [(name, argument)] = value.items()
            if name == "Ref":
                return self.ref(argument)
            if name.startswith("Fn::"):
                return getattr(self, "do_" + name.removeprefix("Fn::").lower())(argument)
        pairs = ((key, self.resolve(each)) for key, each in value.items())
        return {key: each for key, each in pairs if each is not _GONE}

    def ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return _GONE
        if name in PSEUDO:
            return PSEUDO[name]
        if name in self.parameters:
            return self.parameters[name]
        assert name in self.body["Resources"], name
        return f"<{name}>"

    def holds(self, condition: str) -> bool:
        return bool(self.resolve(self.body["Conditions"][condition]))

    def do_getatt(self, argument: list[str]) -> str:
        assert argument[0] in self.body["Resources"], argument
        return f"<{'.'.join(argument)}>"

    def do_sub(self, argument: Any) -> str:
        text, given = (argument, {}) if isinstance(argument, str) else argument
        own = {name: self.resolve(value) for name, value in given.items()}

        def filled(found: re.Match[str]) -> str:
            name = found[1]
            if name in own:
                return str(own[name])
            return self.do_getatt(name.split(".", 1)) if "." in name else str(self.ref(name))

        return _VARIABLE.sub(filled, text)

    def do_if(self, argument: list[Any]) -> Any:
        condition, yes, no = argument
        return self.resolve(yes if self.holds(condition) else no)

    def do_equals(self, argument: list[Any]) -> bool:
        one, other = map(self.resolve, argument)
        return str(one) == str(other)

    def do_not(self, argument: list[Any]) -> bool:
        return not self.resolve(argument[0])

    def do_select(self, argument: list[Any]) -> Any:
        return self.resolve(argument[1])[int(argument[0])]

    def do_split(self, argument: list[Any]) -> list[str]:
        text: str = self.resolve(argument[1])
        return text.split(argument[0])

    def do_join(self, argument: list[Any]) -> str:
        return str(argument[0]).join(map(str, self.resolve(argument[1])))

    def do_findinmap(self, argument: list[str]) -> Any:
        top, first, second = map(self.resolve, argument)
        return self.body["Mappings"][top][first][second]

    def do_base64(self, argument: Any) -> str:
        return base64.b64encode(self.resolve(argument).encode()).decode()


def read(path: Path, **given: Any) -> Template:
    """Read a template with these parameters, and the defaults of the others."""
    body = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    known = body["Parameters"]
    assert given.keys() <= known.keys(), given.keys() - known.keys()
    defaults = {name: each["Default"] for name, each in known.items() if "Default" in each}
    assert known.keys() == defaults.keys() | given.keys(), known.keys() - defaults.keys()
    return Template(body, {**defaults, **given})
