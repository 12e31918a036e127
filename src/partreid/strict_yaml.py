"""YAML as DVC and people write it, read fast and strictly: no key twice in a block, and YAML 1.2's numbers."""

import re
from typing import Any

import yaml


class Once(yaml.constructor.SafeConstructor):
    """Refuses a key that stands twice in a block, as YAML 1.2 does; PyYAML takes the last."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        lines: dict[str, int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in lines:
                problem = f"{key.value!r} stands twice in one block, first in line {lines[key.value]}; keep one"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            lines[key.value] = key.start_mark.line + 1
        return super().construct_mapping(node, deep)


class Loader(Once, yaml.SafeLoader):
    """PyYAML's safe loader, with YAML 1.2's numbers: `1e-05`, as DVC writes a small `-S` value, is one."""


class Quick(Once, getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """The same by libyaml, six times as fast. Its errors show no line, and deep nesting ends the process."""


for loader in (Loader, Quick):
    loader.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)[eE][-+]?\d+$"), list("-+.0123456789")
    )
SURVIVED = 8000  # levels of nesting; libyaml's loader has been seen to survive twice as many


def loaded(text: str) -> Any:
    """What a YAML text holds. Raises yaml.YAMLError, ValueError, and RecursionError where it is nested too deep."""
    if sum(map(text.count, "[{-?:")) < SURVIVED:  # one of these begins a level
        try:
            value = yaml.load(text, Quick)
        except yaml.YAMLError:
            return yaml.load(text, Loader)  # says where
        repr(value)  # fails here, and not where a message shows the value
        return value
    return yaml.load(text, Loader)
