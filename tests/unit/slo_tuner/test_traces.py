"""Traces are read from files of every kind, and a bad one is refused with its row and value."""

import datetime
import decimal
import gzip
import http.server
import json
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from command_line.errors import UsageError
from slo_tuner.cli import main
from slo_tuner.load.traffic.checked import Gaps
from slo_tuner.load.traffic.files import read_trace
from slo_tuner.load.traffic.kinds import KINDS, Shape, generated
from slo_tuner.load.traffic.trace import Trace


def _file(folder: Path, text: str, name: str = "t.csv") -> str:
    path = folder / name
    path.write_text(text)
    return str(path)


def _answer(values: list[list[object]], **changes: object) -> str:
    data = {"resultType": "matrix", "result": [{"metric": {}, "values": values}]} | changes
    return json.dumps({"status": "success", "data": data})


def test_times_of_requests_are_counted_by_second(tmp_path: Path) -> None:
    trace = read_trace(_file(tmp_path, "timestamp\n100.5\n100.7\n103.0\n"))
    assert (trace.step_s, trace.rates.tolist()) == (1.0, [2.0, 0.0, 1.0])
    assert trace.arrivals(1).tolist() == pytest.approx([0.0, 0.2, 2.5])


def test_rates_count_until_the_next_row(tmp_path: Path) -> None:
    trace = read_trace(_file(tmp_path, "time,rate\n0,10\n60,20\n120,5\n"))
    assert (trace.step_s, trace.rates.tolist(), trace.requests) == (60.0, [10, 20, 5], 2100)


def test_time_zones_are_one_moment(tmp_path: Path) -> None:
    text = "time,rate\n2026-03-01T14:00:00Z,1\n2026-03-01T15:01:00+01:00,2\n2026-03-01T09:02:00-05:00,3\n"
    trace = read_trace(_file(tmp_path, text))
    assert (trace.start, trace.step_s, trace.rates.tolist()) == ("2026-03-01T14:00:00Z", 60.0, [1, 2, 3])


def test_prometheus_answer_to_a_range_query_is_a_trace(tmp_path: Path) -> None:
    text = _answer([[1767225600, "1.5"], [1767225615, "2"], [1767225630, "4"]])
    trace = read_trace(_file(tmp_path, text, "q.json"))
    assert (trace.step_s, trace.rates.tolist(), trace.start) == (15.0, [1.5, 2, 4], "2026-01-01T00:00:00Z")


def test_missing_rows_are_filled_as_asked(tmp_path: Path) -> None:
    path = _file(tmp_path, "0,10\n10,20\n40,5\n50,6\n60,7\n")
    held, zero = read_trace(path, "hold"), read_trace(path, "zero")
    assert held.rates.tolist() == [10, 20, 20, 20, 5, 6, 7]
    assert zero.rates.tolist() == [10, 20, 0, 0, 5, 6, 7] and zero.filled == 2


RATES = "time,rate\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "trace: 't.csv' is not allowed; it has no row"),
        (RATES, "trace: 't.csv' is not allowed; it has no row"),
        (RATES + "0,1\n", "trace: 't.csv' is not allowed; one rate has no length"),
        ("1\n2\n1.5\n", "trace t.csv, row 3: 1.5 is not allowed; times ascend"),
        (RATES + "0,1\n20,1\n10,1\n", "trace t.csv, row 4: 10.0 is not allowed; times ascend"),
        (RATES + "0,1\n0,1\n", "trace t.csv, row 3: 0.0 is not allowed; times ascend"),
        (RATES + "0,1\n10,-2\n20,1\n", "trace t.csv, row 3: -2.0 is not allowed; a rate is not below 0"),
        (RATES + "0,1\n10,nan\n", "trace t.csv, row 3: nan is not allowed; a rate is a finite number"),
        (RATES + "0,1\n10,inf\n", "trace t.csv, row 3: inf is not allowed; a rate is a finite number"),
        (RATES + "0,1\n10,many\n", "trace t.csv, row 3: 'many' is not allowed; a rate is a number"),
        (RATES + "0,1\nnan,2\n", "trace t.csv, row 3: nan is not allowed; a time is a finite number"),
        (RATES + "0,1\n10,2\n40,3\n50,1\n", "trace t.csv, row 4: 40.0 is not allowed; 2 rows before it are missing"),
        (RATES + "0,1\n10,2\n14,3\n24,1\n", "trace t.csv, row 4: 14.0 is not allowed; rows are 10 s apart"),
        (RATES + "2026-03-01T14:00:00,1\n", "row 2: '2026-03-01T14:00:00' is not allowed; it has no time zone"),
        (RATES + "2026-03-01T14:00:00Z,1\n5,1\n", "row 3: '5' is not allowed; times are of one kind"),
        (RATES + "yesterday,1\n", "row 2: 'yesterday' is not allowed; a time is a number of seconds, or ISO 8601"),
        (RATES + "0,1,2\n", "trace t.csv, row 2: '0,1,2' is not allowed; every row has 2 value(s)"),
        ("a,b,c\n", "it has 3 columns"),
        ("1700000000000\n1700009990000000\n", "are they seconds, not milliseconds?"),
        ("time,latency\n0,1\n", "its second column is 'latency'"),
        ("time;rate\n0;1,5\n60;2\n", "its columns are separated by ';'"),
        ("time\trate\n0\t1\n", "its columns are separated by '\\t'"),
        (
            RATES + "0,1\n1,2\n2,3\n1e9,4\n",
            "trace t.csv, row 5: 1000000000.0 is not allowed; a trace has 10000000 steps",
        ),
        (RATES + "0,1\n1,2\n2,3\n1e19,4\n", "trace t.csv, row 5: 1e+19 is not allowed; a time in seconds is before"),
        (RATES + "1700000000000,1\n1700000060000,2\n", "row 2: 1700000000000.0 is not allowed; a time in seconds"),
        ("time\n1700000000000000\n1700000000500000\n", "are they seconds, not milliseconds?"),
        (RATES + "0,1\n60,2\n240,1\n", "trace t.csv, row 4: 240.0 is not allowed; 2 rows before it are missing"),
        (RATES + "0,1\n1e-320,2\n5,3\n", "is not allowed"),
        (RATES + "-1e308,1\n1e308,2\n", "is not allowed"),
        ("time\n-1e308\n1e308\n", "row 2: -1e+308 is not allowed; a time in seconds is before"),
    ],
)
@pytest.mark.parametrize("gaps", ["refuse", "zero", "hold"])
def test_a_bad_file_is_refused_by_row_and_value(text: str, said: str, gaps: Gaps, tmp_path: Path) -> None:
    if gaps != "refuse" and "rows before it are missing" in said:
        pytest.skip("with --gaps this one is no bad file")
    with pytest.raises(UsageError) as refused:
        read_trace(_file(tmp_path, text), gaps)
    message = str(refused.value).replace(str(tmp_path) + "/", "")
    assert said in message and "\n" not in message


@pytest.mark.parametrize("ends", ["\r\n", "\r", "\n"])
def test_lines_may_end_as_on_any_system(ends: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(ends.join(["time,rate", "0,10", "60,20", ""]).encode())
    assert read_trace(str(path)).rates.tolist() == [10, 20]


def test_the_night_of_a_clock_change_has_no_gap(tmp_path: Path) -> None:
    text = "2026-10-25T02:00:00+02:00,1\n2026-10-25T02:30:00+02:00,2\n2026-10-25T02:00:00+01:00,3\n"
    trace = read_trace(_file(tmp_path, RATES + text))
    assert (trace.step_s, trace.rates.tolist(), trace.filled) == (1800.0, [1, 2, 3], 0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{}", "Prometheus answered: no success"),
        ("[]", "it is no answer of Prometheus"),
        ("no JSON", "it is no answer of Prometheus"),
        (_answer([], result=[]), "it has 0 series"),
        (_answer([], resultType="vector"), "it is a vector; ask /api/v1/query_range"),
        (_answer([[0, "1"], [15, "NaN"], [30, "2"]]), "row 2: nan is not allowed"),
        (_answer([[0, "1"], [15, "2"], [60, "2"], [75, "2"]]), "row 3: 60.0 is not allowed; 2 rows before it"),
        (_answer([]), "it has no row"),
        ('{"status": "error", "error": "bad\\nquery"}', "Prometheus answered: bad query"),
        (_answer([[0, "1"], [15, "+Inf"]]), "row 2: inf is not allowed"),
        (_answer([], result=[{"metric": {"pod": name}, "values": []} for name in "ab"]), "it has 2 series"),
        (_answer([], result=[{"metric": {}, "histograms": []}]), "it is no answer of Prometheus"),
        (_answer([[10**400, "1"], [15, "1"]]), "it is no answer of Prometheus"),
    ],
)
def test_a_bad_answer_of_prometheus_is_refused(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        read_trace(_file(tmp_path, text, "q.json"))
    assert said in str(refused.value)


@pytest.mark.parametrize("name", ["absent.csv", "t.txt", "absent.json", "absent.csv.gz"])
def test_a_file_that_is_not_there_or_of_no_known_kind_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="trace"):
        read_trace(str(tmp_path / name))


def test_a_prometheus_that_does_not_answer_is_refused() -> None:
    with pytest.raises(UsageError, match="Prometheus did not answer"):
        read_trace("http://127.0.0.1:9/api/v1/query_range?query=x")


@pytest.mark.parametrize("kind", KINDS)
def test_generated_traffic_has_its_rate_and_its_peak(kind: str) -> None:
    trace = generated(kind, Shape(100.0, hours=24.0))
    assert trace.duration_s == 86400
    usual = trace.mean_per_s if kind == "daily" else float(np.median(trace.rates[: len(trace.rates) // 3]))
    assert usual == pytest.approx(100, rel=0.01)
    assert trace.rates.max() == pytest.approx(100 * KINDS[kind][1], rel=0.04)


@pytest.mark.parametrize("peak", [1.5, 3.0, 20.0, 1000.0])
def test_a_day_has_the_mean_and_the_peak_that_were_asked_for(peak: float) -> None:
    trace = generated("daily", Shape(100.0, hours=24.0, peak=peak))
    assert trace.mean_per_s == pytest.approx(100, rel=0.001)
    assert trace.rates.max() == pytest.approx(100 * peak, rel=0.01) and trace.rates.min() >= 4.9


def _log(rates: np.ndarray) -> Trace:
    """Poisson arrivals of a rate for each second, as a log of requests."""
    counts = np.random.default_rng(3).poisson(rates)
    return Trace("log", 1.0, counts.astype(float), np.repeat(np.arange(len(counts)) + 0.5, counts))


def test_what_is_chance_in_a_log_of_requests_is_no_traffic() -> None:
    steady = np.full(7200, 8.0)
    log = _log(steady)
    assert log.rates.std() == pytest.approx(8**0.5, rel=0.05)
    assert log.without_chance().rates.std() < 0.15 * log.rates.std()
    assert log.scaled(rate=10.0).rates == pytest.approx(10 * log.without_chance().rates)
    assert log.without_chance().requests == pytest.approx(log.requests)
    rates = Trace("rates", 1.0, steady)
    assert rates.without_chance() is rates


def test_what_is_more_than_chance_in_a_log_of_requests_stays() -> None:
    clumps = np.where(np.arange(7200) % 60 == 0, 400.0, 2.0)
    log = _log(clumps)
    assert log.without_chance().rates == pytest.approx(log.rates, rel=0.1, abs=1.0)


@pytest.mark.parametrize("counts", [[1.0], [0.0, 0.0, 5.0], [3.0, 3.0]])
def test_a_log_of_few_requests_keeps_them(counts: list[float]) -> None:
    log = Trace("log", 1.0, np.array(counts), np.arange(sum(counts)))
    assert log.without_chance().requests == pytest.approx(log.requests)


def test_time_and_rate_are_scaled() -> None:
    trace = Trace("t", 60.0, np.array([1.0, 2.0])).scaled(time=60, rate=10)
    assert (trace.step_s, trace.rates.tolist(), trace.requests) == (1.0, [10, 20], 30)
    assert trace.name == "t, 60 times as fast, 10 times the rate"


@pytest.mark.parametrize("step_s", [0.7, 1.0, 3.0, 7.0, 100.0])
def test_no_request_is_lost_at_another_step(step_s: float) -> None:
    trace = Trace("t", 2.0, np.array([5.0, 0.0, 9.0, 1.0, 4.0]))
    lengths = np.diff(np.minimum(np.arange(len(trace.at(step_s)) + 1) * step_s, trace.duration_s))
    assert float((trace.at(step_s) * lengths).sum()) == pytest.approx(trace.requests)


def test_arrivals_follow_the_rates() -> None:
    trace = Trace("t", 10.0, np.array([100.0, 0.0, 30.0]))
    times = trace.arrivals(1)
    assert np.histogram(times, [0, 10, 20, 30])[0].tolist() == [1000, 0, 300]
    assert (np.diff(times) >= 0).all()
    assert (times == trace.arrivals(1)).all() and len(times) != len(np.intersect1d(times, trace.arrivals(2)))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--traffic=steady", "--rate=20", "--hours=2"], "most-s: '3600' is not allowed; the trace lasts 7200 s"),
        (["--traffic=flash", "--rate=2000", "--hours=0.5"], "most-rate: '5000' is not allowed; the busiest minute has"),
        (["--traffic=daily", "--rate=1", "--most-s=0"], "most-s: '0' is not allowed"),
    ],
)
def test_a_trace_beyond_its_bounds_is_sent_to_nobody(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["measure", "m", "--address=127.0.0.1:9", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv.gz", b"\x1f\x8b\x08" + bytes(7) + b"\xff" * 40, "it is no gzip"),
        ("t.csv.gz", gzip.compress(b"time\n1\n" * 500)[:30], "it is no gzip"),
        ("t.csv.gz", b"time\n1\n2\n", "it is no gzip"),
        ("t.csv", b"ts,rps\n0,1\n60,2\n", "row 1: 'ts' is not allowed; a time is a number of seconds"),
        ("t.csv", b"ts,rps\n0,1\n60,2\n", "; a header begins with time, timestamp, time_s or due_s"),
        ("t.csv", b'time\n"' + b"a" * 200_000 + b'"\n', "trace t.csv, row 2: '' is not allowed; it is no CSV"),
        ("t.csv", b"time,rate\n0,5\n\n60,-1\n", "trace t.csv, row 3: '' is not allowed; no row is empty"),
        ("t.csv", b"time,rate\n0,5\n60,1e308\n", "trace t.csv, row 3: 1e+308 is not allowed; a rate is 1e+09"),
        ("t.json", b"[" * 100_000, "it is no answer of Prometheus"),
    ],
)
def test_a_file_that_is_no_trace_is_refused_in_a_line(name: str, content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UsageError) as refused:
        read_trace(str(path))
    assert said in str(refused.value)


def test_a_file_of_a_spreadsheet_begins_with_a_mark_of_its_encoding(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("time,rate\n0,10\n60,20\n\n", encoding="utf-8-sig")
    assert read_trace(str(path)).rates.tolist() == [10, 20]


class _Refuses(http.server.BaseHTTPRequestHandler):
    """Prometheus that can't parse the query."""

    def do_GET(self) -> None:
        body = b'{"status":"error","errorType":"bad_data","error":"parse error"}'
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


def test_what_prometheus_says_of_a_query_is_passed_on() -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), _Refuses) as prometheus:
        threading.Thread(target=prometheus.handle_request, daemon=True).start()
        with pytest.raises(UsageError, match=r"Prometheus answered 400: .*parse error"):
            read_trace(f"http://127.0.0.1:{prometheus.server_port}/api/v1/query_range?query=x(")


@pytest.mark.parametrize("url", ["http://localhost:port/x", "http://localhost:9/query?a b", "http://localhost:9/…"])
def test_a_url_that_is_none_is_refused_in_a_line(url: str) -> None:
    with pytest.raises(UsageError, match="Prometheus did not answer"):
        read_trace(url)


class _Answers(_Refuses):
    """Prometheus that answers every query."""

    def do_GET(self) -> None:
        body = _answer([[0, "1"], [15, "2"]]).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)


def test_a_prometheus_nearby_is_asked_without_a_proxy_and_as_the_query_is_typed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with http.server.HTTPServer(("127.0.0.1", 0), _Answers) as prometheus:
        threading.Thread(target=prometheus.handle_request, daemon=True).start()
        trace = read_trace(
            f"http://127.0.0.1:{prometheus.server_port}/api/v1/query_range?query=sum by (x) (rate(y[1m]))"
        )
    assert trace.rates.tolist() == [1, 2]


def test_an_answer_of_prometheus_may_be_compressed(tmp_path: Path) -> None:
    path = tmp_path / "q.json.gz"
    path.write_bytes(gzip.compress(_answer([[0, "1"], [15, "2"]]).encode()))
    assert read_trace(str(path)).rates.tolist() == [1, 2]


def test_a_password_in_a_url_is_neither_used_nor_shown() -> None:
    with pytest.raises(UsageError) as refused:
        read_trace("http://me:secret@localhost:9/api/v1/query_range")
    assert "secret" not in str(refused.value)


def test_parquet_without_its_package_is_refused_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(UsageError, match=r"inference-system\[parquet\]"):
        read_trace(_file(tmp_path, "", "t.parquet"))


@pytest.mark.slow
@pytest.mark.parametrize("zoned", [True, False])
def test_parquet_is_read_as_csv_is(zoned: bool, tmp_path: Path) -> None:
    import pyarrow as arrow
    from pyarrow import parquet

    times = arrow.array([0, 60_000, 120_000], arrow.timestamp("ms", "UTC" if zoned else None))
    path = tmp_path / "t.parquet"
    parquet.write_table(arrow.table({"time": times, "rate": arrow.array([1.0, 2.0, 3.0])}), path)
    if zoned:
        trace = read_trace(str(path))
        assert (trace.step_s, trace.rates.tolist()) == (60.0, [1, 2, 3])
        return
    with pytest.raises(UsageError, match="have no time zone"):
        read_trace(str(path))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"rate": [1.0]}, "it has no column time or timestamp"),
        ({"time": ["yesterday"], "rate": [1.0]}, "the column 'time' is string; store numbers"),
        ({"time": [0, 60], "rate": [True, False]}, "the column 'rate' is bool; store numbers"),
        ({"time": [datetime.date(2026, 3, 1)], "rate": [1.0]}, "the column 'time' is date32[day]; store numbers"),
        ({"time": [0, 60, None], "rate": [1, 2, 3]}, "row 3: nan is not allowed"),
        ({"time": [0, 60, 120], "rate": [1, None, 3]}, "row 2: nan is not allowed"),
        ({"time": [], "rate": []}, "store numbers"),
        ({"time": [0, 60], "Time": [1, 2]}, "it has 2 columns 'time'"),
        ({"time": [0, 60], "rate": [[1], [2]]}, "store numbers"),
    ],
)
def test_parquet_of_another_meaning_is_refused(columns: dict[str, list[object]], said: str, tmp_path: Path) -> None:
    import pyarrow as arrow
    from pyarrow import parquet

    path = tmp_path / "t.parquet"
    parquet.write_table(arrow.table(columns), path)
    with pytest.raises(UsageError) as refused:
        read_trace(str(path))
    assert said in str(refused.value)


@pytest.mark.slow
def test_parquet_takes_decimals_and_times_far_away(tmp_path: Path) -> None:
    import pyarrow as arrow
    from pyarrow import parquet

    times = arrow.array([32_503_680_000, 32_503_680_060], arrow.timestamp("s", "UTC"))
    path = tmp_path / "t.parquet"
    parquet.write_table(arrow.table({"time": times, "rate": [decimal.Decimal("1.5"), decimal.Decimal("2.5")]}), path)
    trace = read_trace(str(path))
    assert (trace.step_s, trace.rates.tolist()) == (60.0, [1.5, 2.5])
