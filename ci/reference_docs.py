"""Writes the pages of docs that follow from sources: the command line, the schema of plans, metrics, decisions.

python ci/reference_docs.py            writes them; `nox -s reference_docs` has the packages that it imports
python ci/reference_docs.py --check    exits 1 and names the files that are not up to date
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import reference_cli  # noqa: E402 -- finds the packages of this checkout
import reference_decisions  # noqa: E402
import reference_metrics  # noqa: E402
import reference_plan  # noqa: E402

PAGES: dict[str, Callable[[], str]] = {
    "docs/decisions/README.md": reference_decisions.page,
    "docs/reference/cli.md": reference_cli.page,
    "docs/reference/metrics.md": reference_metrics.page,
    "docs/reference/plan-schema.md": reference_plan.page,
    "docs/reference/plan.schema.json": lambda: json.dumps(reference_plan.schema(), indent=2) + "\n",
}


def main(arguments: list[str]) -> int:
    stale = {}
    for name, make in PAGES.items():
        text, file = make(), ROOT / name
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            stale[name] = text
    if "--check" in arguments:
        for name in stale:
            print(f"{name}: not up to date, run: nox -s reference_docs", file=sys.stderr)
        return 1 if stale else 0
    for name, text in stale.items():
        (ROOT / name).write_text(text, encoding="utf-8")
        print(f"wrote {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
