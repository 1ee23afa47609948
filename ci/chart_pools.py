"""The schema of a pool of servers: any part of the chart's own values, each by reference to its one schema."""

from __future__ import annotations

from typing import Any

from chart_values import Value

# What a release has once, for all of its pools.
OF_THE_RELEASE = {
    ("pools",),
    ("nameOverride",),
    ("fullnameOverride",),
    ("extraObjects",),
    ("serviceAccount",),
    ("gateway", "create"),
    ("monitoring", "dashboards"),
}
# A pool's name is a part of object names and a label's value: a DNS label that leaves room for the release's.
NAME = {"pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", "maxLength": 30}


def pools_schema(values: tuple[Value, ...], description: str | None) -> dict[str, Any]:
    """The schema of pools by name: closed as that of the chart, but no key is required."""
    pool = {**_part(values), "minProperties": 1}
    return {"description": description, "type": "object", "propertyNames": NAME, "additionalProperties": pool}


def _part(values: tuple[Value, ...]) -> dict[str, Any]:
    shared = [value for value in values if value.path not in OF_THE_RELEASE]
    properties = {value.path[-1]: _reference(value) for value in shared}
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _reference(value: Value) -> dict[str, Any]:
    if value.children is not None:
        return _part(value.children)
    return {"$ref": "#/properties/" + "/properties/".join(value.path)}
