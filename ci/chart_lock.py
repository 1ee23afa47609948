"""Writes charts/inference-system/Chart.lock without a network: its versions are exact, so nothing needs resolving.

python ci/chart_lock.py            writes it
python ci/chart_lock.py --check    exits 1 when it does not fit Chart.yaml
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import yaml

UMBRELLA = Path(__file__).resolve().parent.parent / "charts" / "inference-system"
# Helm writes the moment of resolving; a constant keeps the file a function of Chart.yaml.
GENERATED = "2026-11-21T00:00:00Z"


def digest(required: list[dict[str, Any]], locked: list[dict[str, Any]]) -> str:
    """Helm's check sum of a lock: over both lists as JSON, as `HashReq` in helm's internal/resolver makes it."""
    text = json.dumps([[_as_helm(one) for one in required], [_as_helm(one) for one in locked]], separators=(",", ":"))
    for character, escaped in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):  # as Go's encoding/json
        text = text.replace(character, escaped)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def lock(chart: Path) -> str:
    """The text of Chart.lock for a chart whose dependencies name exact versions."""
    required = yaml.safe_load((chart / "Chart.yaml").read_text(encoding="utf-8"))["dependencies"]
    locked = [{key: one[key] for key in ("name", "repository", "version")} for one in required]
    content = {"dependencies": locked, "digest": digest(required, locked), "generated": GENERATED}
    return yaml.safe_dump(content, sort_keys=False)


def main(arguments: list[str]) -> int:
    path, text = UMBRELLA / "Chart.lock", lock(UMBRELLA)
    if "--check" not in arguments:
        path.write_text(text, encoding="utf-8")
        return 0
    if path.exists() and path.read_text(encoding="utf-8") == text:
        return 0
    print("charts/inference-system/Chart.lock: not up to date, run: python ci/chart_lock.py", file=sys.stderr)
    return 1


def _as_helm(dependency: dict[str, Any]) -> dict[str, Any]:
    """The fields in the order of Helm's struct, which JSON keeps; empty ones are left out."""
    fields = ("name", "version", "repository", "condition", "tags", "enabled", "import-values", "alias")
    return {field: dependency[field] for field in fields if dependency.get(field)}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
