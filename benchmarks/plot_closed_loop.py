"""Bars of the best closed-loop rate of each configuration in a closed-loop.json, within a P95 limit.

python benchmarks/plot_closed_loop.py results/gpu-nvidia-h200/closed-loop.json docs/images/closed-loop-gpu.svg
"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from slo_tuner.plot_style import COLORS, STYLE, svg

P95_MS = 100.0
Row = dict[str, Any]


def best(rows: list[Row]) -> list[Row]:
    """The fastest row within the limit of every (model, batch size, instances), slowest first."""
    found: dict[tuple[str, int, int], Row] = {}
    for row in rows:
        key = row["model"], row["max_batch_size"], row["instances"]
        if row["p95_ms"] <= P95_MS and row["rate_per_s"] > found.get(key, {"rate_per_s": 0})["rate_per_s"]:
            found[key] = row
    return sorted(found.values(), key=lambda row: float(row["rate_per_s"]))


def main() -> None:
    """Write the plot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rows", type=Path)
    parser.add_argument("svg", type=Path)
    options = parser.parse_args()
    rows = best(json.loads(options.rows.read_text())["rows"])
    with plt.rc_context(STYLE):
        figure, axes = plt.subplots(figsize=(8.2, 0.9 + 0.45 * len(rows)))
        bars = axes.barh(
            [f"{row['model']}  {row['max_batch_size']} x {row['instances']}  {row['input']}" for row in rows],
            [row["rate_per_s"] for row in rows],
            color=[COLORS[2] if row["input"] == "uint8" else COLORS[1] for row in rows],
            height=0.62,
        )
        base = min(row["rate_per_s"] for row in rows)
        axes.bar_label(bars, [f" {r['rate_per_s']:,.0f} ({r['rate_per_s'] / base:.1f} x)" for r in rows])
        axes.set_xlabel(f"requests per second, closed loop, P95 <= {P95_MS:g} ms (maximum batch x instances, input)")
        axes.grid(axis="y", visible=False)
        axes.set_xlim(right=1.18 * max(row["rate_per_s"] for row in rows))
        options.svg.write_text(svg(figure))


if __name__ == "__main__":
    main()
