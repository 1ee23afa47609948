"""What was measured under load, with the machine it was measured on, as one JSON file."""

from __future__ import annotations

import datetime
import json
import os
import platform
from pathlib import Path
from typing import Any

from cluster import kubectl


class Records:
    """One entry for each change that happened under load."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []

    def add(self, change: str, took_s: float, report: dict[str, Any]) -> None:
        """Keeps the report of a load, with the change that it met and how long that took."""
        self.entries.append({"change": change, "took_s": round(took_s, 1), **report})

    def write(self, path: Path) -> None:
        """Writes the file, unless nothing was measured."""
        if not self.entries:
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "date": datetime.date.today().isoformat(),
            "cpu": _cpu(),
            "cpu_cores": os.cpu_count(),
            "nodes": _nodes(),
            "changes": self.entries,
        }
        path.write_text(json.dumps(content, indent=1) + "\n")


def _cpu() -> str:
    """The model of this machine's CPU, which on a cluster elsewhere is not the nodes'."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _nodes() -> list[dict[str, str]]:
    return [
        {
            "cpu_cores": node["status"]["capacity"]["cpu"],
            "kubelet": node["status"]["nodeInfo"]["kubeletVersion"],
            "system": node["status"]["nodeInfo"]["osImage"],
        }
        for node in json.loads(kubectl("get", "nodes", "-o", "json"))["items"]
    ]
