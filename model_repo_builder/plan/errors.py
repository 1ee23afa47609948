"""Turns pydantic's validation errors into one line: the field by its path in the plan, the value, what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from model_repo_builder.errors import InvalidError

BOUNDS = {
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
    "greater_than": ("more than", "gt"),
    "less_than": ("less than", "lt"),
}
KINDS = {
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_parsing": "a number",
    "float_type": "a number",
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "string_type": "text",
    "string_too_short": "text that is not empty",
    "tuple_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
}


class Disallowed(ValueError):  # noqa: N818 -- a verdict on a value, translated before anyone sees it
    """A value that a rule of the plan refuses; `field` is relative to the section that raised it."""

    def __init__(self, allowed: str, field: str = "", value: object = None) -> None:
        super().__init__(allowed)
        self.allowed, self.field, self.value = allowed, field, value


def as_invalid(
    error: ValidationError,
    roots: Mapping[str, type[BaseModel]],
    raw: object = None,
    prefix: tuple[str, ...] = (),
) -> Exception:
    """The first of pydantic's errors as one InvalidError (or, inside a section, as a Disallowed to pass upwards)."""
    first = error.errors()[0]
    path = _readable(first["loc"], raw)
    context: dict[str, Any] = first.get("ctx") or {}
    root = next(iter(roots.values()))
    cause = context.get("error")
    value: object = first["input"]
    if isinstance(cause, Disallowed):
        path = [*path, *([cause.field] if cause.field else [])]
        value, allowed = (cause.value if cause.field else value), cause.allowed
    elif first["type"] == "missing":
        value, allowed = "missing", "a value, it is required"
    elif first["type"] == "extra_forbidden":
        value, allowed = "unknown key", ", ".join(_keys(root, first["loc"][:-1]))
    else:
        allowed = _allowed(first["type"], context, first["msg"])
    field = ".".join([*prefix, *path]) or "PLAN"
    return Disallowed(allowed, field, value) if prefix else InvalidError(field, value, allowed)


def _readable(location: tuple[int | str, ...], raw: object) -> list[str]:
    """Replaces the index of a variant by its name; drops the names of union members that pydantic adds."""
    path: list[str] = []
    here = raw
    for part in location:
        if isinstance(part, str) and part.endswith("]") and "[" in part:
            continue
        here = _step(here, part)
        name = here.get("name") if isinstance(part, int) and isinstance(here, dict) else None
        path.append(name if isinstance(name, str) else str(part))
    return path


def _step(value: object, part: int | str) -> object:
    if isinstance(value, dict):
        return value.get(part)
    if isinstance(value, list) and isinstance(part, int) and part < len(value):
        return value[part]
    return None


def _keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """The keys of the section at `location`, found by walking the models' annotations."""
    for part in location:
        if isinstance(part, int):
            continue
        nested = model.model_fields[part].annotation
        candidates = [nested, *get_args(nested)]
        model = next(item for item in candidates if isinstance(item, type) and issubclass(item, BaseModel))
    keys = list(model.model_fields)
    return [*keys, "defaults"] if not location and "variants" in keys else keys


def _allowed(kind: str, context: dict[str, Any], message: str) -> str:
    if kind == "literal_error":
        return str(context["expected"]).replace("'", "").replace(" or ", ", ")
    if kind == "string_pattern_mismatch" and context["pattern"].startswith("^\\d"):
        return "MAJOR.MINOR, such as '7.5' for a T4"
    if kind == "string_pattern_mismatch":
        return "letters, digits, '_', '-' and '.', beginning with a letter or digit, at most 128"
    if kind in BOUNDS:
        sign, limit = BOUNDS[kind]
        return f"{sign} {context[limit]}"
    if kind == "too_short":
        return f"at least {context['min_length']} item"
    if kind in KINDS:
        return KINDS[kind]
    return message.removeprefix("Input should be ").removeprefix("Value error, ").lower()
