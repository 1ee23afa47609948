"""Turns pydantic's validation errors into one line: the field by its path in the plan, the value, what is allowed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, get_args, get_origin

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
    "finite_number": "a finite number",
}
# What pydantic adds to the place of a value that may be of several types, none of which it is.
SCALARS = ("bool", "int", "float", "str")


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
    first: Any = error.errors()[0]
    union = _of_one_union(error.errors())
    place = first["loc"][:-1] if union else first["loc"]
    path = _readable(place, raw)
    context: dict[str, Any] = first.get("ctx") or {}
    root = next(iter(roots.values()))
    cause = context.get("error")
    value: object = first["input"]
    if isinstance(cause, Disallowed):
        path = [*path, *([cause.field] if cause.field else [])]
        value, allowed = (cause.value if cause.field else value), cause.allowed
    elif union:
        allowed = ", ".join(_allowed(one["type"], one.get("ctx") or {}, one["msg"]) for one in union)
    elif first["type"] == "missing":
        value, allowed = "missing", "a value, it is required"
    elif first["type"] == "extra_forbidden":
        value, allowed = "unknown key", ", ".join(_keys(root, place[:-1]))
    else:
        allowed = _allowed(first["type"], context, first["msg"])
    field = ".".join([*prefix, *path]) or "PLAN"
    return Disallowed(allowed, field, value) if prefix else InvalidError(field, value, allowed)


def _of_one_union(errors: list[Any]) -> list[Any]:
    """The first error and those of the same value, where it may be of several types and is of none; else nothing."""
    place = errors[0]["loc"]
    if not place or place[-1] not in SCALARS:
        return []
    siblings = [one for one in errors if one["loc"] and one["loc"][:-1] == place[:-1]]
    found = [one for one in siblings if one["loc"][-1] in SCALARS and one["input"] is errors[0]["input"]]
    return found if len(found) > 1 else []


def _readable(location: tuple[int | str, ...], raw: object) -> list[str]:
    """Replaces the index of a variant by its name; drops the names of union members that pydantic adds."""
    path: list[str] = []
    here = raw
    for part in location:
        is_key = isinstance(here, dict) and part in here
        if isinstance(part, str) and part.endswith("]") and "[" in part and not is_key:
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
    is_entry = False
    for part in location:
        # The place in a list, or the key of a mapping such as model.inputs, whose values are sections.
        if isinstance(part, int) or is_entry:
            is_entry = False
            continue
        nested = model.model_fields[part].annotation
        is_entry = get_origin(nested) is dict
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
    if kind == "too_long":
        return f"at most {context['max_length']} items"
    if kind in KINDS:
        return KINDS[kind]
    return message.removeprefix("Input should be ").removeprefix("Value error, ").lower()
