"""The schema of plans: a page of tables, and a JSON Schema for editors, both from the models that check a plan."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from model_repo_builder.engines import ENGINES
from model_repo_builder.plan.schema import Plan

_INTRODUCTION = """# Schema of plans

Every key of a plan with its type, its limits and its default, written from the builder's own models by
`ci/reference_docs.py`. What the keys mean stands in [plans](plans.md). Unknown keys are refused.

[plan.schema.json](plan.schema.json) is the same as JSON Schema. An editor with the YAML language server checks a plan
while it is written when its first line is

    # yaml-language-server: $schema=PATH/TO/plan.schema.json

What a schema can't say, such as that INT8 needs examples, `model-repo-builder validate` checks.
"""
# Where each model stands in a plan.
_PLACES = {
    "Plan": "The plan",
    "Model": "model",
    "Input": "model.input",
    "TensorInput": "model.inputs.NAME",
    "Calibration": "calibration",
    "Agreement": "agreement",
    "Variant": "variants and defaults",
    "Threshold": "agreement of a variant",
    "Queue": "queue of a variant",
}


def schema() -> dict[str, Any]:
    """The JSON Schema of a plan as it is written, with `defaults`, which are keys of every variant."""
    made = Plan.model_json_schema()
    definitions = made["$defs"]
    defaults = {key: value for key, value in definitions["Variant"]["properties"].items() if key != "name"}
    made["properties"]["defaults"] = {
        "title": "Defaults",
        "description": "keys that every variant starts from",
        "type": "object",
        "additionalProperties": False,
        "properties": defaults,
    }
    variant = definitions["Variant"]
    variant["properties"]["engine"] = {"enum": sorted(ENGINES), "title": "Engine", "type": "string"}
    # A variant may take its engine from `defaults`.
    variant["required"] = ["name"]
    definitions["TensorInput"]["properties"]["values"]["items"] = {
        "anyOf": [
            {"type": "string"},
            {"type": "object", "required": ["b64"], "properties": {"b64": {"type": "string"}}},
        ]
    }
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "Plan of model-repo-builder"}


def page() -> str:
    """The whole page in Markdown."""
    return "\n".join([_INTRODUCTION, *_sections(), *_options()])


def _sections() -> Iterator[str]:
    whole = schema()
    models = {"Plan": {key: value for key, value in whole.items() if key != "$defs"}, **whole["$defs"]}
    for model, place in _PLACES.items():
        yield f"## {place}\n"
        yield _table(models[model]["properties"], set(models[model].get("required", [])))


def _options() -> Iterator[str]:
    yield "## options of a variant\n"
    for name, engine in sorted(ENGINES.items()):
        yield f"### {name}\n"
        devices, runtimes = _codes(engine.devices), _codes(engine.runtimes)
        yield f"Precisions {_codes(engine.precisions)}; devices {devices}; runtimes {runtimes}.\n"
        yield _table(engine.options.model_json_schema()["properties"], set())


def _codes(values: Any) -> str:
    return ", ".join(f"`{value}`" for value in values)


def _table(properties: dict[str, Any], required: set[str]) -> str:
    rows = ["| key | type | default |", "|---|---|---|"]
    for key, value in properties.items():
        default = "required" if key in required else _default(value)
        rows.append(f"| `{key}` | {_type(value)} | {default} |")
    return "\n".join(rows) + "\n"


def _default(value: dict[str, Any]) -> str:
    default = value.get("default")
    if default is None or isinstance(default, dict) or default == []:
        return "none"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _type(value: dict[str, Any]) -> str:
    """A type and its limits in words."""
    if "$ref" in value:
        return _reference(value["$ref"])
    if "anyOf" in value:
        return " or ".join(_type(one) for one in value["anyOf"] if one.get("type") != "null")
    if "allOf" in value:
        return _type(value["allOf"][0])
    if "enum" in value or "const" in value:
        return " or ".join(f"`{json.dumps(one).strip(chr(34))}`" for one in value.get("enum", [value.get("const")]))
    return _plain_type(value)


def _plain_type(value: dict[str, Any]) -> str:
    kind = value.get("type")
    if kind == "array":
        if "prefixItems" in value:
            return f"a list of {len(value['prefixItems'])}: each {_type(value['prefixItems'][0])}"
        return f"a list, each {_type(value['items'])}"
    if kind == "object":
        inside = value.get("additionalProperties")
        return f"a mapping from names, each to {_type(inside)}" if isinstance(inside, dict) else "a mapping"
    words = {"integer": "whole number", "number": "number", "string": "text", "boolean": "`true` or `false`"}[kind]
    return words + _limits(value)


def _limits(value: dict[str, Any]) -> str:
    if value.get("pattern"):
        return f" as `{value['pattern']}`"
    if "minimum" in value and "maximum" in value:
        return f", {value['minimum']:,} to {value['maximum']:,}"
    bounds = [(key, value[key]) for key in ("minimum", "exclusiveMinimum", "maximum") if key in value]
    said = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}
    return "".join(f", {said[key]} {bound:,}" for key, bound in bounds)


def _reference(reference: str) -> str:
    model = reference.rsplit("/", 1)[1]
    if model not in _PLACES:
        return "a mapping"
    place = _PLACES[model]
    return f"[a mapping](#{place.lower().replace('.', '').replace(' ', '-')})"
