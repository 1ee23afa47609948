"""Values that fit a JSON schema, and values that need not, for property tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cases import at
from hypothesis import strategies as st

# Control characters can't stand in a values file, so no user can give them.
TEXT = st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=30)
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**6), 10**6),
    st.floats(-1000, 1000),
    TEXT,
    st.sampled_from(["a: b", "- x", "{{ .Values }}", "#", "'", '"', "|", "~", "yes", "1e3", "\n  x", "%s"]),
    st.lists(TEXT, max_size=2),
    st.dictionaries(TEXT, TEXT, max_size=2),
)


def fitting(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that the schema accepts, but for what only `not` forbids. Objects without known keys stay empty."""
    if "$ref" in schema:
        return fitting(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "anyOf" in schema:
        return st.one_of([fitting(option, definitions) for option in schema["anyOf"]])
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    kind = schema.get("type")
    if isinstance(kind, list):
        return st.one_of([fitting({**schema, "type": one}, definitions) for one in kind])
    if kind == "object":
        return _object(schema, definitions)
    if kind == "array":
        low, high = schema.get("minItems", 0), min(3, schema.get("maxItems", 3))
        unique = (lambda item: str(item)) if schema.get("uniqueItems") else None
        return st.lists(fitting(schema["items"], definitions), min_size=low, max_size=high, unique_by=unique)
    if kind == "integer":
        return st.integers(schema.get("minimum", -1000), schema.get("maximum", 10**6))
    if kind == "number":
        low = schema.get("minimum", schema.get("exclusiveMinimum", -1000))
        exclusive = "exclusiveMinimum" in schema
        return st.floats(low, schema.get("maximum", 10**6), exclude_min=exclusive, allow_subnormal=False)
    return st.booleans() if kind == "boolean" else _string(schema)


def _string(schema: dict[str, Any]) -> st.SearchStrategy[str]:
    low, high = schema.get("minLength", 0), schema.get("maxLength", 1000)
    if "pattern" not in schema:
        return TEXT.filter(lambda text: low <= len(text) <= high)
    # `$` of Python also matches before a line feed at the end, that of Helm's schema does not.
    alphabet = st.characters(exclude_categories=["Cc", "Cs"])
    texts = st.from_regex(schema["pattern"].replace("$", r"\Z"), alphabet=alphabet)
    return texts.filter(lambda text: low <= len(text) <= high)


def _object(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" in schema:
        required = {key: fitting(schema["properties"][key], definitions) for key in schema.get("required", [])}
        free = {key: fitting(one, definitions) for key, one in schema["properties"].items() if key not in required}
        return st.fixed_dictionaries(required, optional=free)
    if not isinstance(schema.get("additionalProperties"), dict):
        return st.just({})
    keys = fitting({"type": "string", **schema.get("propertyNames", {})}, definitions)
    return st.dictionaries(keys, fitting(schema["additionalProperties"], definitions), max_size=3)


def changes(schema: dict[str, Any], paths: Sequence[tuple[str, ...]]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """One to five values at some of these paths; mostly ones that the schema accepts, as those reach the templates."""

    def changed(path: tuple[str, ...]) -> st.SearchStrategy[dict[str, Any]]:
        leaf = schema
        for key in path:
            leaf = leaf["properties"][key]
        fits = fitting(leaf, schema["definitions"])
        return st.one_of(fits, fits, fits, JUNK).map(lambda value: at(".".join(path), value))

    return st.lists(st.sampled_from(list(paths)).flatmap(changed), min_size=1, max_size=5)
