"""Reads a chart's commented values.yaml: the one source of its schema and of the table in its README."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

DESCRIPTION = "# -- "
SCHEMA = "# @schema "
JSON_TYPES = {"str": "string", "bool": "boolean", "int": "integer", "float": "number", "seq": "array", "map": "object"}


@dataclass(frozen=True)
class Value:
    """One key of values.yaml: its path, its default, and what the comment above it says.

    `children` is None for a leaf: a scalar, a list, or a map whose keys are the user's.
    """

    path: tuple[str, ...]
    default: Any
    json_type: str
    description: str | None
    constraints: dict[str, Any]
    children: tuple[Value, ...] | None


def read_values(chart: Path) -> tuple[Value, ...]:
    """The top level of the chart's values.yaml. ValueError names a value without a comment."""
    text = (chart / "values.yaml").read_text(encoding="utf-8")
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ValueError(f"{chart}/values.yaml: not a map")
    return _children(root, text.splitlines(), ())


def leaves(values: tuple[Value, ...]) -> list[Value]:
    """All values without children, in the file's order."""
    return [leaf for value in values for leaf in ([value] if value.children is None else leaves(value.children))]


def _children(node: yaml.MappingNode, lines: list[str], above: tuple[str, ...]) -> tuple[Value, ...]:
    return tuple(_value(key, value, lines, (*above, key.value)) for key, value in node.value)


def _value(key: yaml.Node, node: yaml.Node, lines: list[str], path: tuple[str, ...]) -> Value:
    description, constraints = _comment(lines, key.start_mark.line, path)
    children = None
    if isinstance(node, yaml.MappingNode) and description is None:
        children = _children(node, lines, path)
    elif description is None:
        raise ValueError(f"{'.'.join(path)}: no '{DESCRIPTION}' comment above it")
    return Value(path, _construct(node), JSON_TYPES[node.tag.rsplit(":", 1)[1]], description, constraints, children)


def _construct(node: yaml.Node) -> Any:
    return yaml.safe_load(yaml.serialize(node, Dumper=yaml.SafeDumper))


def _comment(lines: list[str], key_line: int, path: tuple[str, ...]) -> tuple[str | None, dict[str, Any]]:
    """The description and the schema constraints in the comment lines directly above a key."""
    description: str | None = None
    constraints: dict[str, Any] = {}
    line = key_line - 1
    while line >= 0 and lines[line].lstrip().startswith("#"):
        text = lines[line].strip()
        if text.startswith(DESCRIPTION):
            description = text.removeprefix(DESCRIPTION)
        elif text.startswith(SCHEMA):
            try:
                constraints = json.loads(text.removeprefix(SCHEMA))
            except ValueError as error:
                raise ValueError(f"{'.'.join(path)}: {SCHEMA.strip('# ')} is not JSON: {error}") from error
        line -= 1
    return description, constraints
