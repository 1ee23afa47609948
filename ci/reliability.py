"""Writes the table of docs/reliability.md from what the tests on a cluster measured under load.

python ci/reliability.py build/integration/load.json    keeps the file as results/reliability.json too
python ci/reliability.py                                writes the table again from that
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "results" / "reliability.json"
DOCUMENT = ROOT / "docs" / "reliability.md"
BEGIN, END = "<!-- table: written by ci/reliability.py -->\n", "<!-- end of table -->"


def table(measured: dict[str, Any]) -> str:
    """The table as Markdown: one line for each change and stream."""
    node = measured["nodes"][0]
    lines = [
        f"Measured on {measured['date']}: {len(measured['nodes'])} node of {node['cpu_cores']} CPU cores"
        f" ({measured['cpu']}), Kubernetes {node['kubelet']}; {measured['changes'][0]['rate_per_s']:g} requests per"
        " second for each client.",
        "",
        "| Change | Took | Client | Requests | Failed | P50 | P99 |",
        "| --- | ---: | --- | ---: | ---: | ---: | ---: |",
    ]
    for change in measured["changes"]:
        for one in change["streams"]:
            lines.append(
                f"| {change['change']} | {change['took_s']:.0f} s | {one['stream']} | {one['requests']} |"
                f" {one['failed']} | {one['p50_ms']:.1f} ms | {one['p99_ms']:.1f} ms |"
            )
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    if arguments:
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text(Path(arguments[0]).read_text(encoding="utf-8"), encoding="utf-8")
    text = DOCUMENT.read_text(encoding="utf-8")
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    written = table(json.loads(KEPT.read_text(encoding="utf-8")))
    DOCUMENT.write_text(head + BEGIN + written + END + tail, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
