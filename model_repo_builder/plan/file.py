"""The plan file: YAML, read with the variants' defaults filled in and its paths taken from its folder."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from model_repo_builder.errors import InvalidError
from model_repo_builder.examples import photographs
from model_repo_builder.plan.errors import as_invalid
from model_repo_builder.plan.schema import WARM_UP_REQUESTS, Plan, Variant


def load_plan(path: Path, runtime: str | None = None, *, any_gpu: bool = False, only: Sequence[str] = ()) -> Plan:
    """Read and validate a plan; `runtime` replaces the plan's own, `any_gpu` drops its compute capability.

    With `only` these variants alone are `chosen`, and the others need not fit the runtime. Relative paths are taken
    from the plan's folder.

    Raises InvalidError naming the first field that is wrong, its value and what is allowed.
    """
    try:
        raw = yaml.load(path.read_text(encoding="utf-8"), _Loader)
    except OSError as error:
        raise InvalidError("PLAN", f"{path} ({error.strerror})", "a readable YAML file") from None
    except UnicodeDecodeError as error:
        raise InvalidError("PLAN", f"{path} is no text in UTF-8 (byte {error.start + 1})", "a YAML file") from None
    # YAML takes 2026-02-30 for a date, of which Python then says that there is none.
    except (yaml.YAMLError, ValueError) as error:
        raise InvalidError("PLAN", f"{path}: {error}", "a YAML file") from None
    plan = parse_plan(raw, folder=path.parent, runtime=runtime, only=only)
    return plan.model_copy(update={"compute_capability": None}) if any_gpu else plan


class _Loader(yaml.SafeLoader):
    """Refuses a key that a mapping has twice, where YAML's own would silently take the last."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        keys = [one.value for one, _ in node.value if isinstance(one, yaml.ScalarNode) and one.value != "<<"]
        twice = next((key for key, count in Counter(keys).items() if count > 1), None)
        if twice is not None:
            found = f"the key {twice} twice in the mapping that begins in line {node.start_mark.line + 1}"
            raise InvalidError("PLAN", found, "each key once")
        return super().construct_mapping(node, deep=deep)


def parse_plan(raw: object, folder: Path = Path(), runtime: str | None = None, only: Sequence[str] = ()) -> Plan:
    """Validate what a YAML file holds; `defaults` are keys that every variant starts from, `only` is as for load."""
    if not isinstance(raw, dict):
        raise InvalidError("PLAN", type(raw).__name__, "a mapping with the keys model and variants")
    raw = _with_defaults(dict(raw))
    if runtime is not None:
        raw["runtime"] = runtime
    raw = _with_paths(raw, folder)
    try:
        plan = Plan.model_validate(raw, context={"only": only})
    except ValidationError as error:
        raise as_invalid(error, {"": Plan}, raw=raw) from None
    names = [variant.name for variant in plan.variants]
    for name in only:
        if name not in names:
            raise InvalidError("--only", name, ", ".join(names))
    return plan


def _with_defaults(raw: dict[str, Any]) -> dict[str, Any]:
    defaults = raw.pop("defaults", {})
    if not isinstance(defaults, dict):
        raise InvalidError("defaults", defaults, "a mapping of variant keys")
    unknown = [key for key in defaults if key not in Variant.model_fields or key == "name"]
    if unknown:
        allowed = ", ".join(key for key in Variant.model_fields if key != "name")
        raise InvalidError(f"defaults.{unknown[0]}", "unknown key", allowed)
    if isinstance(raw.get("variants"), list):
        raw["variants"] = [{**defaults, **item} if isinstance(item, dict) else item for item in raw["variants"]]
    return raw


def absolute(path: Path) -> str:
    """The path from the root on, without links in its folders; its last name stays.

    A file of a SavedModel may be a link to one of another name, as in caches.
    """
    # No path can hold a zero byte: whoever looks for it finds nothing.
    if "\0" in str(path):
        return str(path)
    if path.name in ("", ".."):
        return os.path.realpath(path)
    return str(Path(os.path.realpath(path.parent), path.name))


def _with_paths(raw: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The same with paths from the plan's folder on: before validation, which looks at what lies there."""

    def resolved(value: object) -> object:
        known = ("imagenet", photographs.NAME, WARM_UP_REQUESTS)
        if not isinstance(value, str) or not value or value in known or re.match(r"\w+:", value):
            return value
        return absolute(folder / value)

    def resolved_source(value: object) -> object:
        """A model saved by transformers lies in a directory, too: `huggingface:../model`."""
        prefix, _, rest = value.partition(":") if isinstance(value, str) else ("", "", "")
        if prefix == "huggingface" and rest.startswith(("./", "../", "/")):
            return f"{prefix}:{resolved(rest)}"
        return resolved(value)

    def section(name: str, **change: Callable[[object], object]) -> dict[str, Any]:
        inside = raw.get(name)
        if not isinstance(inside, dict):
            return {}
        return {name: {**inside, **{key: change[key](inside[key]) for key in change if key in inside}}}

    samples = {"images": resolved, "arrays": resolved, "source": resolved}
    return {
        **raw,
        **section("model", source=resolved_source, labels=resolved),
        **section("calibration", **samples),
        **section("agreement", **samples),
        **({"examples": resolved(raw["examples"])} if "examples" in raw else {}),
    }
