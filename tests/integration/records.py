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
    """What happened to requests during changes, how they spread over servers, and when alerts fired."""

    def __init__(self) -> None:
        self._changes: list[dict[str, Any]] = []
        self._spreads: list[dict[str, Any]] = []
        self._alerts: list[dict[str, Any]] = []
        self._held: list[dict[str, Any]] = []

    def add(self, change: str, took_s: float, report: dict[str, Any]) -> None:
        """Keeps the report of a load, with the change that it met and how long that took."""
        self._changes.append({"change": change, "took_s": round(took_s, 1), **report})

    def add_spread(self, servers: int, report: dict[str, Any], by_pod: list[list[int]]) -> None:
        """Keeps the report of a load, with how many requests of each of its streams each server answered."""
        streams = [one | {"by_pod": counts} for one, counts in zip(report["streams"], by_pod, strict=True)]
        self._spreads.append({"servers": servers, **report, "streams": streams})

    def add_alert(self, alert: str, for_s: float, fired_s: float, resolved_s: float) -> None:
        """Keeps how long after its cause an alert fired, `for_s` of it by its rule, and resolved after the end."""
        times = {"for_s": for_s, "fired_s": round(fired_s, 1), "resolved_s": round(resolved_s, 1)}
        self._alerts.append({"alert": alert, **times})

    def add_held(self, protocol: str, held_s: float, cooldown_s: float, zero_s: float) -> None:
        """Keeps how long a request without a Pod was held, and how long after its answer there was none again."""
        self._held.append(
            {"protocol": protocol, "held_s": held_s, "cooldown_s": cooldown_s, "zero_s": round(zero_s, 1)}
        )

    def write(self, path: Path) -> None:
        """Writes the file, unless nothing was measured."""
        if not (self._changes or self._spreads or self._alerts or self._held):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "date": datetime.date.today().isoformat(),
            "cpu": _cpu(),
            "cpu_cores": os.cpu_count(),
            "nodes": _nodes(),
            "changes": self._changes,
            "spreads": self._spreads,
            "alerts": self._alerts,
            "held": self._held,
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
