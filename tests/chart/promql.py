"""The queries of the dashboards, with Grafana's variables replaced, and the metrics that a query asks for."""

import json
import re

import promql_parser

import monitoring.__main__ as generator

DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in generator.DIRECTORY.glob("*.json")}


def panels(board: dict) -> list[dict]:
    """The panels of a dashboard that show something."""
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def dashboard_queries() -> dict[str, str]:
    """Every query of every dashboard, as Grafana stores it, by dashboard, panel and letter."""
    found = {}
    for name, board in DASHBOARDS.items():
        for panel in panels(board):
            for target in panel["targets"]:
                found[f"{name}: {panel['title']} {target['refId']}"] = target["expr"]
    return found


def with_variables(expression: str, **values: str) -> str:
    """What Grafana asks Prometheus: each $NAME replaced by its value. KeyError names a variable without one."""
    return re.sub(r"\$(\w+)", lambda found: values[found[1]], expression)


def metric_names(expression: promql_parser.Expr) -> set[str]:
    """The metrics that an expression selects."""
    if isinstance(expression, promql_parser.VectorSelector):
        return {expression.name}
    if isinstance(expression, promql_parser.MatrixSelector):
        return metric_names(expression.vector_selector)
    if isinstance(expression, promql_parser.BinaryExpr):
        return metric_names(expression.lhs) | metric_names(expression.rhs)
    if isinstance(expression, promql_parser.Call):
        return set().union(*(metric_names(argument) for argument in expression.args))
    if isinstance(expression, (promql_parser.NumberLiteral, promql_parser.StringLiteral)):
        return set()
    return metric_names(expression.expr)  # aggregations, parentheses, subqueries, signs


def metrics_of(expression: str) -> set[str]:
    """The metrics that a query in PromQL selects; ValueError when it does not parse."""
    return metric_names(promql_parser.parse(expression))
