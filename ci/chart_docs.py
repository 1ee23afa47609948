"""Writes each chart's values.schema.json and the values table of its README.md from values.yaml, and its presets.

python ci/chart_docs.py            writes them
python ci/chart_docs.py --check    exits 1 and names the files that are not up to date
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml
from chart_pools import pools_schema
from chart_values import Value, leaves, read_values

# Shapes that several values share; a value names one by {"$ref": "#/definitions/NAME"}.
DEFINITIONS = json.loads((Path(__file__).parent / "schema_definitions.json").read_text(encoding="utf-8"))
CHARTS = Path(__file__).resolve().parent.parent / "charts"
VALUES = CHARTS.parent / "values"
BEGIN, END = "<!-- values: written by ci/chart_docs.py -->", "<!-- end of values -->"


def schema(values: tuple[Value, ...]) -> dict[str, Any]:
    """A closed JSON schema: every key is known and required, so that null can't remove one either.

    Where a chart is a part of another, Helm adds `global` to its values, which holds what other charts know, too.
    """
    top = _object_schema(values)
    for value in values:
        if value.path == ("pools",):
            top["properties"]["pools"] = pools_schema(values, value.description)
    known = {"^imageRegistry$": {"$ref": "#/definitions/optionalImagePath"}}
    top["properties"]["global"] = {"type": "object", "patternProperties": known}
    draft = "http://json-schema.org/draft-07/schema#"
    return {"$schema": draft, **top, "definitions": _used_definitions(json.dumps(top))}


def table(values: tuple[Value, ...]) -> str:
    """The values as a Markdown table, one line a leaf."""
    rows = ["| Value | Default | What it does |", "| --- | --- | --- |"]
    for leaf in leaves(values):
        default = json.dumps(leaf.default)
        if "\n" in str(leaf.default) or len(default) > 80:
            default = "see values.yaml"
        cells = (f"`{'.'.join(leaf.path)}`", f"`{default}`", str(leaf.description))
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(rows)


def with_table(readme: str, markdown: str) -> str:
    """The README with the text between its markers replaced. ValueError when they are missing."""
    if BEGIN not in readme or END not in readme:
        raise ValueError(f"README.md lacks the lines '{BEGIN}' and '{END}'")
    before, rest = readme.split(BEGIN, 1)
    return f"{before}{BEGIN}\n{markdown}\n{END}{rest.split(END, 1)[1]}"


def generated(chart: Path) -> dict[Path, str]:
    """The files of one chart that follow from its values.yaml, with their contents."""
    values = read_values(chart)
    readme = chart / "README.md"
    files = {
        chart / "values.schema.json": json.dumps(schema(values), indent=2) + "\n",
        readme: with_table(readme.read_text(encoding="utf-8"), table(values)),
    }
    if any(value.path == ("presets",) for value in values):
        files |= presets(chart, {value.path[0] for value in values})
    return files


def presets(chart: Path, known: set[str]) -> dict[Path, str]:
    """The files of values/ that hold nothing but values of the chart, and its defaults, as the package has them."""
    found = {}
    for path in sorted(VALUES.glob("*.yaml")):
        text = path.read_text(encoding="utf-8")
        if set(yaml.safe_load(text)) <= known:
            found[chart / "files" / "presets" / path.name] = text
    return {**found, chart / "files" / "defaults.json": defaults(chart)}


def defaults(chart: Path) -> str:
    """The chart's values.yaml as JSON: by it a template tells what was given, as Helm keeps that file from it."""
    return json.dumps(yaml.safe_load((chart / "values.yaml").read_text(encoding="utf-8")), indent=1) + "\n"


def main(arguments: list[str]) -> int:
    stale: list[tuple[Path, str | None]] = []
    for chart in sorted(path.parent for path in CHARTS.glob("*/values.yaml")):
        try:
            files = generated(chart)
        except (ValueError, OSError) as error:
            print(f"{chart.name}: {error}", file=sys.stderr)
            return 1
        stale += [(path, text) for path, text in files.items() if not path.exists() or path.read_text() != text]
        stale += [(path, None) for path in sorted(chart.glob("files/presets/*")) if path not in files]
    if "--check" in arguments:
        for path, _ in stale:
            print(f"{path.relative_to(CHARTS.parent)}: not up to date, run: python ci/chart_docs.py", file=sys.stderr)
        return 1 if stale else 0
    for path, text in stale:
        if text is None:
            path.unlink()
        else:
            path.write_text(text, encoding="utf-8")
        print(f"{'removed' if text is None else 'wrote'} {path.relative_to(CHARTS.parent)}")
    return 0


def _object_schema(values: tuple[Value, ...]) -> dict[str, Any]:
    names = [value.path[-1] for value in values]
    properties = {value.path[-1]: _schema(value) for value in values}
    return {"type": "object", "additionalProperties": False, "required": names, "properties": properties}


def _used_definitions(text: str) -> dict[str, Any]:
    """The shared shapes that a schema names, and those that these name in turn."""
    used: dict[str, Any] = {}
    for name, shape in DEFINITIONS.items():
        if f'"#/definitions/{name}"' in text:
            used |= {name: shape, **_used_definitions(json.dumps(shape))}
    return dict(sorted(used.items()))


def _schema(value: Value) -> dict[str, Any]:
    if value.children is not None:
        return _object_schema(value.children)
    if "$ref" in value.constraints:
        return value.constraints
    return {"description": value.description, "type": value.json_type, **value.constraints}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
