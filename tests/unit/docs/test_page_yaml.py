"""YAML of the pages is what it looks like: a plan, or values of a chart."""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import reference_plan
import yaml
from doc_pages import ROOT, pages

CHARTS = sorted(path.parent.name for path in (ROOT / "charts").glob("*/values.yaml"))
_BLOCK = re.compile(r"^```yaml\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks() -> Iterator[tuple[Path, str]]:
    for page in pages():
        for text in _BLOCK.findall((ROOT / page).read_text(encoding="utf-8")):
            yield page, text


def over(defaults: Any, given: Any) -> Any:
    """Values as Helm merges them."""
    if not isinstance(defaults, dict) or not isinstance(given, dict):
        return given
    return {**defaults, **{key: over(defaults.get(key), value) for key, value in given.items()}}


def wrong(document: Any) -> list[str]:
    """What is wrong with a document as (a part of) a plan, or as values of the chart that knows most of its keys."""
    plan = reference_plan.schema()
    if {"model", "variants", "examples", "calibration"} & set(document):
        part = {key: value for key, value in plan.items() if key != "required"}
        return [error.message for error in jsonschema.Draft202012Validator(part).iter_errors(document)]
    schema, defaults = max((chart(name) for name in CHARTS), key=lambda one: len(set(one[1]) & set(document)))
    return [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(over(defaults, document))]


@cache
def chart(name: str) -> tuple[dict, dict]:
    """A chart's schema and its default values."""
    folder = ROOT / "charts" / name
    schema = json.loads((folder / "values.schema.json").read_text(encoding="utf-8"))
    return schema, yaml.safe_load((folder / "values.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(("page", "text"), list(blocks()), ids=lambda value: str(value)[:40].replace("\n", " "))
def test_a_block_is_a_plan_or_values(page: Path, text: str) -> None:
    for document in yaml.safe_load_all(text):
        assert wrong(document) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("variants: [{name: a, engin: tensorflow}]", "'engin'"),
        ("modelRepository: {modles: [a]}", "'modles'"),
        ("scaling: {mode: keeda}", "'keeda'"),
    ],
)
def test_a_wrong_block_is_found(text: str, message: str) -> None:
    assert message in " ".join(wrong(yaml.safe_load(text)))
