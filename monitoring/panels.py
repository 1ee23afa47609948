"""One way to draw each kind of panel, so that the dashboards look alike."""

from grafana_foundation_sdk.builders import common, dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, TooltipDisplayMode

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
HEIGHT = 8


def query(expression: str, legend: str) -> prometheus.Dataquery:
    return prometheus.Dataquery().datasource(SOURCE).expr(expression).legend_format(legend).range()


def lines(title: str, meaning: str, unit: str, *series: tuple[str, str], span: int = 8) -> timeseries.Panel:
    """A time series panel. `series` are pairs of an expression and its legend."""
    panel = timeseries.Panel().title(title).description(meaning).unit(unit).datasource(SOURCE)
    panel = panel.span(span).height(HEIGHT).min(0).line_width(1).fill_opacity(8)
    legend = common.VizLegendOptions().show_legend(True).display_mode(LegendDisplayMode.LIST)
    panel = panel.legend(legend.placement(LegendPlacement.BOTTOM))
    panel = panel.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    for expression, label in series:
        panel = panel.with_target(query(expression, label))
    return panel


def number(title: str, meaning: str, unit: str, expression: str, legend: str, limit: float | None = None) -> stat.Panel:
    """A panel with the latest value; red from `limit` on."""
    panel = stat.Panel().title(title).description(meaning).unit(unit).datasource(SOURCE).span(6).height(4)
    steps = [model.Threshold(value=None, color="green")]
    if limit is not None:
        steps.append(model.Threshold(value=limit, color="red"))
    thresholds = dashboard.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(steps)
    return panel.thresholds(thresholds).with_target(query(expression, legend))


def choice(name: str, label: str, series_query: str, *, several: bool = False) -> dashboard.QueryVariable:
    """A variable whose values are the label values that a query finds."""
    variable = dashboard.QueryVariable(name).label(label).datasource(SOURCE).query(series_query)
    variable = variable.refresh(model.VariableRefresh.ON_TIME_RANGE_CHANGED)
    variable = variable.sort(model.VariableSort.ALPHABETICAL_ASC)
    return variable.multi(True).include_all(True).all_value(".+") if several else variable
