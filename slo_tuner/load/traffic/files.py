"""Reads traces: CSV and Parquet of time stamps or rates, and what Prometheus answers to a range query."""

import csv
import gzip
import http.client
import json
import math
import urllib.error
import urllib.parse
import urllib.request
import zlib
from pathlib import Path
from typing import Any

import numpy as np

from command_line.errors import UsageError
from command_line.extras import install_line
from command_line.proxy import is_near

from .checked import Columns, Gaps, checked_trace, mixed, seconds_of, utc
from .trace import Floats, Trace

_TIMES = ("time", "timestamp", "time_s", "due_s")
_RATES = ("rate", "rate_per_s", "requests_per_s", "value")
_ALLOWED = (
    "a trace is a .csv, .csv.gz or .parquet file, or Prometheus' answer to query_range: "
    "a .json or .json.gz file, or a URL"
)
_TIMEOUT_S = 30.0
_MOST_BYTES = 1 << 30
_MOST_SAID = 300


def read_trace(source: str, gaps: Gaps = "refuse") -> Trace:
    """The trace of a file or URL; UsageError names the first thing that is wrong with it.

    CSV and Parquet have a column of times (`time`, `timestamp`), one row a request, or beside it a column of rates
    (`rate`, `rate_per_s`). Times are seconds, or dates with a time zone.
    """
    if source.startswith(("http://", "https://")):
        return checked_trace(_prometheus(_asked(source), "of Prometheus"), gaps)
    path, name = Path(source), Path(source).name
    if name.endswith((".csv", ".csv.gz")):
        return checked_trace(_csv(path), gaps)
    if name.endswith(".parquet"):
        return checked_trace(_parquet(path), gaps)
    if name.endswith((".json", ".json.gz")):
        return checked_trace(_prometheus(_text(path), name), gaps)
    raise UsageError("trace", source, _ALLOWED)


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        return (gzip.decompress(content) if path.name.endswith(".gz") else content).decode("utf-8-sig")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        no_gzip = isinstance(error, EOFError | zlib.error | gzip.BadGzipFile)
        reason = getattr(error, "strerror", None) or ("it is no gzip" if no_gzip else "it is no text in UTF-8")
        raise UsageError("trace", str(path), f"it cannot be read ({reason})") from None


def _csv(path: Path) -> Columns:
    rows = _rows(path)
    header = [cell.strip().lower() for cell in rows[0]] if rows else []
    if len(header) == 1 and (other := next((mark for mark in ";\t|" if mark in header[0]), "")):
        raise UsageError("trace", str(path), f"its columns are separated by {other!r}; separate them by commas")
    named = bool(header) and header[0] in _TIMES
    if named and len(header) > 1 and header[1] not in _RATES:
        raise UsageError("trace", str(path), f"its second column is {header[1]!r}; name it one of {', '.join(_RATES)}")
    first, body = (2, rows[1:]) if named else (1, rows)
    width = len(header) or 1
    found = Columns(path.name, np.empty(0), first_row=first)
    if width > 2:
        raise UsageError("trace", str(path), f"it has {width} columns; give times alone, or times and rates")
    times, zoned, rates = [], [], []
    for number, row in enumerate(body):
        if not row:
            raise found.wrong(number, "", "no row is empty, but at the end")
        if len(row) != width:
            raise found.wrong(number, ",".join(row), f"every row has {width} value(s)")
        try:
            seconds, zone = seconds_of(row[0].strip())
        except ValueError as error:
            header_too = number == 0 and not named
            allowed = f"{error}; a header begins with {', '.join(_TIMES[:-1])} or {_TIMES[-1]}" if header_too else error
            raise found.wrong(number, row[0], str(allowed)) from None
        times.append(seconds)
        zoned.append(zone)
        if width == 2:
            rates.append(_number(row[1], found, number))
    if mixed(zoned):
        raise found.wrong(zoned.index(not zoned[0]), body[zoned.index(not zoned[0])][0], "times are of one kind")
    start = utc(times[0]) if times else ""
    dated = bool(zoned) and zoned[0]
    return Columns(path.name, np.array(times), np.array(rates) if width == 2 else None, first, start, dated)


def _rows(path: Path) -> list[list[str]]:
    """The cells of every row, without empty rows at the end."""
    reader = csv.reader(_text(path).splitlines())
    try:
        rows = list(reader)
    except csv.Error as error:
        raise UsageError(f"trace {path.name}, row {reader.line_num}", "", f"it is no CSV ({error})") from None
    while rows and not rows[-1]:
        rows.pop()
    return rows


def _number(text: str, columns: Columns, row: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise columns.wrong(row, text, "a rate is a number of requests per second") from None


def _parquet(path: Path) -> Columns:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise UsageError("trace", str(path), f"reading Parquet needs pyarrow: {install_line('parquet')}") from None
    try:
        table = pyarrow.parquet.read_table(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise UsageError("trace", str(path), f"it cannot be read ({_line(error)})") from None
    names_at = [name.strip().lower() for name in table.column_names]
    time = next((name for name in _TIMES if name in names_at), None)
    rate = next((name for name in _RATES if name in names_at), None)
    if time is None:
        have = ", ".join(names_at) or "none"
        raise UsageError("trace", str(path), f"it has no column {' or '.join(_TIMES)}; its columns: {have}")
    for name in (time, rate):
        if names_at.count(name) > 1:
            raise UsageError("trace", str(path), f"it has {names_at.count(name)} columns {name!r}; keep one")
    column = table.column(names_at.index(time))
    dated = pyarrow.types.is_timestamp(column.type)
    if dated:
        if column.type.tz is None:
            raise UsageError("trace", str(path), f"the time stamps of {time!r} have no time zone; store them with one")
        per_second = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[column.type.unit]
        seconds = _numbers(column.cast(pyarrow.int64()), path, time) / per_second
    else:
        seconds = _numbers(column, path, time)
    rates = _numbers(table.column(names_at.index(rate)), path, rate) if rate is not None else None
    return Columns(path.name, seconds, rates, 1, utc(float(seconds[0])) if len(seconds) else "", dated)


def _numbers(column: Any, path: Path, name: str) -> Floats:
    """A column's numbers, NaN where it has none. Dates and truth values would be other numbers than were meant."""
    import pyarrow

    kind = column.type
    if not (pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind) or pyarrow.types.is_decimal(kind)):
        raise UsageError(
            "trace", str(path), f"the column {name!r} is {kind}; store numbers, or time stamps with a zone"
        )
    return np.asarray(column.cast(pyarrow.float64(), safe=False).to_numpy(zero_copy_only=False), dtype=np.float64)


def _line(said: object) -> str:
    """What another program said, in one line of a message."""
    return " ".join(str(said).split())[:_MOST_SAID] or "nothing"


def _asked(url: str) -> str:
    if "@" in url.split("/")[2]:
        raise UsageError("trace", "(not shown)", "a URL with a user or a password would stand in results.json")
    try:
        # A query as it is typed has blanks.
        asked = urllib.parse.quote(url, safe="%/:?&=#+,;@[]!$'()*~{}|")
        with _opener(url).open(asked, timeout=_TIMEOUT_S) as answer:
            return str(answer.read(_MOST_BYTES).decode("utf-8"))
    except urllib.error.HTTPError as error:
        # Its body says what is wrong with the query.
        with error:
            said = error.read(_MOST_SAID).decode("utf-8", "replace")
        raise UsageError("trace", url, f"Prometheus answered {error.code}: {_line(said or error.reason)}") from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        reason = getattr(error, "reason", None) or error
        raise UsageError("trace", url, f"Prometheus did not answer ({reason})") from None


def _opener(url: str) -> urllib.request.OpenerDirector:
    """What opens a URL: never through a proxy to this machine or the cluster, elsewhere as the environment says."""
    near = is_near(urllib.parse.urlsplit(url).hostname or "")
    return urllib.request.build_opener(*([urllib.request.ProxyHandler({})] if near else []))


def _prometheus(text: str, source: str) -> Columns:
    """The one series of a range query (Prometheus' HTTP API, /api/v1/query_range)."""
    try:
        answer = json.loads(text)
        if answer.get("status") != "success":
            raise UsageError("trace", source, f"Prometheus answered: {_line(answer.get('error', 'no success'))}")
        data = answer["data"]
        if data["resultType"] != "matrix":
            raise UsageError("trace", source, f"it is a {_line(data['resultType'])}; ask /api/v1/query_range")
        series = data["result"]
        if len(series) != 1:
            raise UsageError("trace", source, f"it has {len(series)} series; ask for one, as sum(rate(…)) is")
        values = series[0]["values"]
        times = np.array([float(pair[0]) for pair in values])
        rates = np.array([float(pair[1]) for pair in values])
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, OverflowError, RecursionError):
        raise UsageError("trace", source, "it is no answer of Prometheus to a range query") from None
    return Columns(source, times, rates, 1, utc(times[0]) if len(times) and math.isfinite(times[0]) else "")
