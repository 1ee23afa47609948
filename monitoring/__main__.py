"""Writes the dashboards of charts/triton.

python -m monitoring            writes charts/triton/files/dashboards/*.json
python -m monitoring --check    exits 1 and names the files that are not up to date
"""

import json
import sys
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from monitoring.dashboards import all_dashboards

DIRECTORY = Path(__file__).resolve().parent.parent / "charts" / "triton" / "files" / "dashboards"


def rendered() -> dict[str, str]:
    """File names and contents, the same in every run: panels are numbered in their order."""
    files = {}
    for name, builder in all_dashboards().items():
        board = json.loads(json.dumps(builder.build(), cls=JSONEncoder))
        for number, panel in enumerate(board["panels"], start=1):
            panel["id"] = number
            for letter, target in zip("ABCDEFGH", panel.get("targets", ()), strict=False):
                target["refId"] = letter
        files[f"{name}.json"] = json.dumps(board, indent=1, sort_keys=True) + "\n"
    return files


def main(arguments: list[str]) -> int:
    wanted = rendered()
    present = {path.name: path.read_text(encoding="utf-8") for path in DIRECTORY.glob("*.json")}
    stale = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
    if "--check" in arguments:
        for name in stale:
            print(f"{DIRECTORY.name}/{name}: not up to date, run: python -m monitoring", file=sys.stderr)
        return 1 if stale else 0
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    for name in stale:
        if name in wanted:
            (DIRECTORY / name).write_text(wanted[name], encoding="utf-8")
        else:
            (DIRECTORY / name).unlink()
        print(f"wrote {name}" if name in wanted else f"removed {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
