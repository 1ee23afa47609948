"""A measuring command ends with everything written, whatever of it can't be kept, shown or drawn."""

import json
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml
from outcomes import OUTCOMES

from command_line.errors import ResultsError
from command_line.files import check_output
from slo_tuner.cli import main
from slo_tuner.commands.finish import Files, finish
from slo_tuner.results.file import write_results
from slo_tuner.session.configmap import MOST_BYTES, ConfigMapStore, own_namespace
from slo_tuner.session.log_copy import BEGIN, UNPACK
from slo_tuner.session.options import Asked, MeasureOptions, read_measure_options

DOCS = Path(__file__).parents[3] / "docs" / "reference" / "results.md"


class _ApiServer(BaseHTTPRequestHandler):
    """As much of Kubernetes as a ConfigMap takes; `answers` are the next status codes."""

    answers: list[int]
    kept: list[dict[str, Any]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status = self.answers.pop(0)
        if status < 300:
            self.kept.append(body)
        text = json.dumps(body if status < 300 else {"kind": "Status", "code": status}).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_PUT = do_POST  # noqa: N815

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def api() -> Iterator[type[_ApiServer]]:
    """A cluster's API server on this machine; its port is `port`."""
    handler = type("Handler", (_ApiServer,), {"answers": [], "kept": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        handler.port = server.server_address[1]  # type: ignore[attr-defined]
        yield handler
        server.shutdown()


def _kubeconfig(folder: Path, monkeypatch: pytest.MonkeyPatch, port: int, **changes: Any) -> None:
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u", "namespace": "here"}}],
        "current-context": "x",
    }
    (folder / "kubeconfig").write_text(yaml.safe_dump(content | changes))
    monkeypatch.setenv("KUBECONFIG", str(folder / "kubeconfig"))
    for name in ("POD_NAMESPACE", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)


def _options(output: Path, store: ConfigMapStore | None) -> MeasureOptions:
    from dataclasses import replace

    from slo_tuner.commands.parser import make_parser

    options = make_parser().parse_args(["measure", "m", "--address=h:1", f"--output={output}"])
    return replace(read_measure_options(options, Asked(("m",))), configmap=store)


def _finished(output: Path, store: ConfigMapStore | None, write_more: Any = dict) -> None:
    results = OUTCOMES["kept"]()
    write_results(results, check_output(output) / "results.json")
    finish(_options(output, store), results, write_more)


def _unpacked(printed: str, folder: Path) -> Path:
    folder.mkdir()
    subprocess.run(["bash", "-o", "pipefail", "-c", UNPACK], input=printed.encode(), cwd=folder, check=True)
    return folder


def test_files_are_kept_in_the_configmap_of_the_context_s_namespace(
    api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _kubeconfig(tmp_path, monkeypatch, api.port)
    api.answers += [409, 200]
    store = ConfigMapStore("results")
    _finished(tmp_path, store)
    (kept,) = api.kept
    assert kept["data"]["results.json"] == (tmp_path / "results.json").read_text()
    assert store.namespace == "here"


@pytest.mark.parametrize("status", [403, 500])
def test_a_refused_configmap_leaves_all_files_in_the_log(
    status: int, api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _kubeconfig(tmp_path, monkeypatch, api.port)
    api.answers += [status]
    (tmp_path / "more").write_text("a: 1\n")
    with pytest.raises(ResultsError, match=f"ConfigMap here/results cannot be written: {status} ") as caught:
        _finished(tmp_path, ConfigMapStore("results"), lambda: {"values.yaml": tmp_path / "more"})
    assert "\n" not in str(caught.value)
    printed = capsys.readouterr().out
    folder = _unpacked(printed, tmp_path / "unpacked")
    assert (folder / "results.json").read_text() == (tmp_path / "results.json").read_text()
    assert (folder / "values.yaml").read_text() == "a: 1\n"
    assert (tmp_path / "report.html").exists() and "fast" in printed.partition("-----END")[2]


def test_a_cluster_that_does_not_answer_is_one_line_and_leaves_the_files_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        _kubeconfig(tmp_path, monkeypatch, closed.getsockname()[1])
        with pytest.raises(ResultsError, match=r"the cluster does not answer: .*refused") as caught:
            _finished(tmp_path, ConfigMapStore("results"))
    assert "\n" not in str(caught.value) and "object at" not in str(caught.value)
    assert BEGIN in capsys.readouterr().out


def test_results_over_1_mb_are_left_in_the_log(
    api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _kubeconfig(tmp_path, monkeypatch, api.port)
    large = tmp_path / "large"
    large.write_text("x" * MOST_BYTES)
    with pytest.raises(ResultsError, match="do not fit into a ConfigMap"):
        _finished(tmp_path, ConfigMapStore("results"), lambda: {"values.yaml": large})
    folder = _unpacked(capsys.readouterr().out, tmp_path / "unpacked")
    assert (folder / "values.yaml").stat().st_size == MOST_BYTES and not api.kept


def test_files_that_cannot_be_written_hide_nothing_else(
    api: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _kubeconfig(tmp_path, monkeypatch, api.port)
    api.answers += [201]

    def full() -> Files:
        raise ResultsError("values.yaml cannot be written: No space left on device")

    with pytest.raises(ResultsError, match="No space left on device"):
        _finished(tmp_path, ConfigMapStore("results"), full)
    assert len(api.kept) == 1 and (tmp_path / "report.html").exists() and "fast" in capsys.readouterr().out


def test_a_page_that_cannot_be_made_hides_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(ResultsError, match=r"report\.html cannot be written"):
        _finished(tmp_path, None)
    assert "fast" in capsys.readouterr().out


def test_the_documented_command_unpacks_the_log() -> None:
    assert f"kubectl logs job/NAME | {UNPACK}" in DOCS.read_text()
    assert shutil.which("base64") and shutil.which("tar")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"current-context": None}, "no cluster to save to"),
        ({"current-context": "absent"}, "no cluster to save to"),
        ({"contexts": None}, "no cluster to save to"),
        ({"contexts": 5}, "cannot be used"),
        ({"contexts": [{"name": "x", "context": {"cluster": "absent"}}]}, "no cluster to save to"),
    ],
)
def test_a_kubeconfig_that_names_no_cluster_is_one_line_before_anything_is_measured(
    changes: dict[str, Any],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    _kubeconfig(tmp_path, monkeypatch, 1, **changes)
    arguments = ["measure", "m", "--address=127.0.0.1:1", f"--output={tmp_path}", "--save-configmap=results"]
    assert main(arguments) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("slo-tuner: error: save-configmap: ") and said in line


def test_a_pod_that_does_not_know_its_namespace_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("POD_NAMESPACE", raising=False)
    with pytest.raises(ResultsError, match=r"save-configmap: POD_NAMESPACE is not set, and .*/absent does not say"):
        own_namespace(tmp_path / "absent")
    (tmp_path / "namespace").write_text("inference\n")
    assert own_namespace(tmp_path / "namespace") == "inference"
    monkeypatch.setenv("POD_NAMESPACE", "other")
    assert own_namespace(tmp_path / "namespace") == "other"
