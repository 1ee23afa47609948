"""Several servers as one target: requests in turn, counters summed, each one's share, and what is refused."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import numpy as np
import pytest
from known_server import known_server
from scripted_peer import send_all
from trivial import assignment

from command_line.arguments import default_control_address
from command_line.errors import UsageError
from slo_tuner.access.addresses import check_servers
from slo_tuner.cli import main
from slo_tuner.load.distributed import Distributed
from slo_tuner.load.master import LoadMaster, WorkerRendezvous
from slo_tuner.load.request_log import RequestLog
from slo_tuner.load.worker_processes import WorkerProcesses
from slo_tuner.measurement.closed_loop import measure_closed
from slo_tuner.measurement.open_loop import PointSpec, Target, Timing, measure_point
from slo_tuner.measurement.shares import shares_of
from slo_tuner.slo.objective import Objective
from slo_tuner.triton import several
from slo_tuner.triton.endpoint import Endpoint
from slo_tuner.triton.server_metrics import Counters, MetricsGroup, Window

TIMING = Timing(warm_up_s=0.2, duration_s=1.0, least_s=1.0, sequential=False)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[str, str]]:
    """One that answers after 1 ms, and one after 60 ms."""
    with known_server("fixed", 1) as fast, known_server("fixed", 60) as slow:
        yield fast.address, slow.address


@contextmanager
def _metrics(per_look: int) -> Iterator[str]:
    """Metrics that count so many requests more at each look."""
    looks = [0]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            looks[0] += 1
            names = ("request_success", "count", "exec_count", "queue_duration_us")
            lines = [f'nv_inference_{name}{{model="m"}} {per_look * looks[0]}\n' for name in names]
            self.send_response(200)
            self.end_headers()
            self.wfile.write("".join(lines).encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/metrics"
        server.shutdown()


@pytest.mark.slow
def test_requests_go_to_each_server_in_turn(servers: tuple[str, str]) -> None:
    rows, failures = send_all(assignment(",".join(servers)), 40, apart_s=0.01)
    assert failures == {} and rows.server.tolist() == [0.0, 1.0] * 20
    latencies = [np.median(rows.latency_ms[rows.server == place]) for place in (0, 1)]
    assert latencies[1] >= 60 and latencies[1] > latencies[0] + 20


@pytest.mark.slow
def test_a_point_tells_each_servers_share_and_its_latency(servers: tuple[str, str], tmp_path: Path) -> None:
    work = assignment(",".join(servers))
    with LoadMaster(WorkerRendezvous(2), WorkerProcesses(tmp_path / "log")) as master:
        target = Target("m", Distributed(master, work), None, servers=servers)
        point = measure_point(target, Objective(limit_ms=2000), PointSpec(100.0, "single", 1, 1), TIMING).point
        closed = measure_closed(target, 4, 0.5, 0.1)
    assert [share.address for share in point.servers] == list(servers)
    assert sum(share.requests for share in point.servers) == point.requests
    # Two workers that each take turns; some are in the warm-up.
    assert [share.share for share in point.servers] == pytest.approx([0.5, 0.5], abs=0.03)
    assert point.busiest_over_mean == pytest.approx(1.0, abs=0.06)
    fast, slow = (share.p95_ms for share in point.servers)
    assert fast is not None and slow is not None and slow > 60 and slow > fast
    assert sum(share.requests for share in closed.servers) == closed.requests


@pytest.mark.slow
def test_one_server_that_is_lost_fails_its_share_alone(servers: tuple[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        gone = f"127.0.0.1:{closed.getsockname()[1]}"
    rows, failures = send_all(assignment(f"{servers[0]},{gone}"), 20, apart_s=0.005)
    assert failures == {"UNAVAILABLE: failed to connect: Connection refused": 10}
    assert rows.ok.tolist() == [True, False] * 10


def test_counters_of_all_are_summed_and_the_servers_own_counts_tell_the_share() -> None:
    with ExitStack() as stack:
        urls = [stack.enter_context(_metrics(count)) for count in (30, 10)]
        endpoint = Endpoint("a:1,b:1", "a:1,b:1", metrics_url=",".join(urls))
        metrics = endpoint.metrics()
        assert isinstance(metrics, MetricsGroup)
        with closing(Window(metrics, "m")) as window:
            stages = window.stages()
    assert stages is not None and stages.queue_ms == 0.001 and stages.batch_size == 1.0
    # Each look counts more: how many there were in between is the window's business, the ratio is not.
    assert window.counted[0] == 3 * window.counted[1] > 0 and stages.requests == sum(window.counted)
    shares = shares_of(RequestLog(np.empty((0, 5))), ("a:1", "b:1"), window.counted)
    assert shares["busiest_over_mean"] == 1.5


def test_counters_add_up() -> None:
    assert Counters(1, 2, 3) + Counters(10, 20, 30) - Counters(requests=1) == Counters(10, 22, 33)


def test_shares_count_what_was_sent_where_servers_do_not_tell() -> None:
    rows = RequestLog(np.array([[0, 0, 0.1, 1, 0], [0, 0, 0.2, 0, 0], [0, 0, 0.3, 1, 0], [0, 0, 0.4, 1, 1]], float))
    told = shares_of(rows, ("a:1", "b:1"), ())
    first, second = told["servers"]
    assert (first.requests, first.errors, first.share, first.counted) == (3, 1, 0.75, None)
    assert second.p95_ms == pytest.approx(400.0) and told["busiest_over_mean"] == 1.5
    assert shares_of(rows, ("a:1",), ()) == {}


def _names(monkeypatch: pytest.MonkeyPatch, **known: list[str]) -> None:
    """Names that resolve to these addresses."""

    def getaddrinfo(host: str, *_: object, **__: object) -> list[tuple[int, int, int, str, tuple[str, int]]]:
        if host not in known:
            raise socket.gaierror("unknown")
        return [(10 if ":" in at else 2, 1, 6, "", (at, 0)) for at in known[host]]

    monkeypatch.setattr(several.socket, "getaddrinfo", getaddrinfo)


def test_a_name_of_several_servers_stands_for_each_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    _names(
        monkeypatch,
        triton=["10.0.0.2", "10.0.0.1", "10.0.0.2", "fd00::1"],
        one=["10.0.0.9"],
        six=["fd00::2", "fd00::1"],
    )
    found = Endpoint("dns:///triton:8001", "dns:///triton:8001", metrics_url="http://triton:8002/metrics").expanded()
    assert found.addresses == found.control_addresses == ("10.0.0.1:8001", "10.0.0.2:8001")
    assert found.metrics_url == "http://10.0.0.1:8002/metrics,http://10.0.0.2:8002/metrics"
    assert Endpoint("six:80", "six:81", "http").expanded().addresses == ("[fd00::1]:80", "[fd00::2]:80")
    for single in ("one:8001", "localhost:8001", "unknown:8001", "10.0.0.1:8001", "[::1]:8001"):
        assert Endpoint(single, single).expanded().address == single


def test_metrics_and_control_addresses_are_as_many_as_servers() -> None:
    with pytest.raises(UsageError, match="metrics-url: 'http://a/metrics' is not allowed; give one for each of the 2"):
        Endpoint("a:1,b:1", "a:1,b:1", metrics_url="http://a/metrics").expanded()
    with pytest.raises(UsageError, match="control-address: 'c:1' is not allowed; give one for each of the 2 servers"):
        Endpoint("a:1,b:1", "c:1").expanded()


def test_lists_of_addresses_are_checked() -> None:
    assert check_servers("address", "a:1, b:2", "grpc") == "a:1,b:2"
    assert default_control_address("a:80,[::1]:81", "http") == "a:8001,[::1]:8001"
    for text, said in (("a:1,", "write it as host:port"), ("a:1,a:1", "give each server once")):
        with pytest.raises(UsageError, match=said):
            check_servers("address", text, "grpc")


def test_commands_that_configure_models_take_one_server(capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["tune", "m"], ["tiers", "m", "n"], ["ladder", "--models=m,n"]):
        assert main([*command, "--address=a:1,b:1"]) == 2
        assert "address: 'a:1,b:1' is not allowed; this command loads or configures" in capsys.readouterr().err


@pytest.mark.slow
def test_measure_takes_several_and_writes_each_ones_share(servers: tuple[str, str], tmp_path: Path) -> None:
    where = f"--address={','.join(servers)}"
    code = main(["measure", "m", where, "--rate=60", "--effort=smoke", f"--output={tmp_path}", "--quiet"])
    # 3 and 4: on a busy machine it may miss, or be sent late; the shares are there all the same.
    results = json.loads((tmp_path / "results.json").read_text())
    (point,) = results["models"][0]["points"]
    assert code in (0, 3, 4) and [share["address"] for share in point["servers"]] == list(servers)
    assert point["busiest_over_mean"] == pytest.approx(1.0, abs=0.1)
    assert results["run"]["server"]["address"] == ",".join(servers)
    assert servers[0] in (tmp_path / "report.html").read_text()


@pytest.mark.slow
def test_servers_that_do_not_serve_the_model_alike_are_refused(servers: tuple[str, str], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        gone = f"127.0.0.1:{closed.getsockname()[1]}"
    assert main(["measure", "m", f"--address={servers[0]},{gone}", f"--output={tmp_path}", "--quiet"]) == 1
