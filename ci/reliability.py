"""Writes the tables of docs/how-to/reliability.md from what the tests on a cluster measured under load.

python ci/reliability.py build/integration/load.json    keeps the file as results/reliability.json too
python ci/reliability.py                                writes the tables again from that
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "results" / "reliability.json"
DOCUMENT = ROOT / "docs" / "how-to" / "reliability.md"
TABLE = re.compile(r"(<!-- table: (\w+), written by ci/reliability.py -->\n).*?(<!-- end of table -->)", re.DOTALL)


def where(measured: dict[str, Any]) -> str:
    """When and on what it was measured."""
    node = measured["nodes"][0]
    return (
        f"Measured on {measured['date']}: {len(measured['nodes'])} node of {node['cpu_cores']} CPU cores"
        f" ({measured['cpu']}), Kubernetes {node['kubelet']}.\n"
    )


def changes(measured: dict[str, Any]) -> str:
    """One line for each change and stream."""
    return _table(
        [
            "| Change | Took | Client | Requests | Failed | P50 | P99 |",
            "| --- | ---: | --- | ---: | ---: | ---: | ---: |",
        ],
        (
            f"| {change['change']} | {change['took_s']:.0f} s | {one['stream']} | {one['requests']} |"
            f" {one['failed']} | {one['p50_ms']:.1f} ms | {one['p99_ms']:.1f} ms |"
            for change in measured["changes"]
            for one in change["streams"]
        ),
    )


def independent(measured: dict[str, Any]) -> str:
    """One line for each change: of each stream of an independent client the requests sent, and those that failed."""
    found = [change for change in measured["changes"] if change.get("independent")]
    if not found:
        return "Not measured yet.\n"
    names = [one["stream"] for one in found[0]["independent"]]
    return _table(
        [f"| Change | {' | '.join(names)} |", "| --- |" + " ---: |" * len(names)],
        (
            f"| {change['change']} | "
            + " | ".join(f"{one['requests']}, {one['failed']}" for one in change["independent"])
            + " |"
            for change in found
        ),
    )


def spreads(measured: dict[str, Any]) -> str:
    """One line for each number of servers and stream."""
    return _table(
        ["| Servers | Client | Requests of each server | Busiest / mean |", "| ---: | --- | --- | ---: |"],
        (
            f"| {spread['servers']} | {one['stream']} | {', '.join(map(str, one['by_pod']))} |"
            f" {max(one['by_pod']) * len(one['by_pod']) / sum(one['by_pod']):.2f} |"
            for spread in measured["spreads"]
            for one in spread["streams"]
        ),
    )


def alerts(measured: dict[str, Any]) -> str:
    """One line for each alert."""
    return _table(
        ["| Alert | Its rule waits | Fired after | Resolved after |", "| --- | ---: | ---: | ---: |"],
        (
            f"| {one['alert']} | {one['for_s']} s | {one['fired_s']:.0f} s | {one['resolved_s']:.0f} s |"
            for one in measured["alerts"]
        ),
    )


def _table(head: list[str], rows: Iterable[str]) -> str:
    return "\n".join([*head, *rows]) + "\n"


TABLES = {"where": where, "changes": changes, "independent": independent, "spreads": spreads, "alerts": alerts}


def main(arguments: list[str]) -> int:
    if arguments:
        KEPT.parent.mkdir(exist_ok=True)
        KEPT.write_text(Path(arguments[0]).read_text(encoding="utf-8"), encoding="utf-8")
    measured = json.loads(KEPT.read_text(encoding="utf-8"))
    text = DOCUMENT.read_text(encoding="utf-8")
    written = TABLE.sub(lambda found: found[1] + TABLES[found[2]](measured) + found[3], text)
    DOCUMENT.write_text(written, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
