"""Grafana dashboards of the Triton chart, as Python: `python -m monitoring` writes them, `--check` compares."""
