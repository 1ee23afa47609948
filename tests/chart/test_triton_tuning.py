"""A tuned model: the hook that applies its values, what it asks of Triton, and that nothing of it is there without."""

import http.server
import json
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from cases import URL, with_values
from render import ROOT, HelmRefused, one, render

SCRIPT = ROOT / "charts/triton/files/apply_tuning.py"
TUNED = {"maxBatchSize": 4, "preferredBatchSizes": [2], "maxQueueDelayMicroseconds": 10_000_000, "instances": 2}
CACHED = {"responseCache": True}
VALUES = with_values(URL, {"modelRepository": {"models": ["fast"], "tuning": {"fast": TUNED}}})


def _pod(values: dict[str, Any]) -> dict[str, Any]:
    return dict(one(render(values), "Deployment")["spec"]["template"])


def _arguments(values: dict[str, Any]) -> list[str]:
    return list(_pod(with_values(URL, values))["spec"]["containers"][0]["args"])


def test_the_hook_applies_the_values_before_the_probes_begin() -> None:
    command = _pod(VALUES)["spec"]["containers"][0]["lifecycle"]["postStart"]["exec"]["command"]
    run = ["bash", "-c", 'test ! -w /proc/1/fd/2 || exec 2>/proc/1/fd/2; exec python3 "$0" "$@"']
    assert command == [*run, "/etc/triton/apply_tuning.py", "8000", "600", "/etc/triton/tuning.json"]
    data = one(render(VALUES), "ConfigMap", "-scripts")["data"]
    assert json.loads(data["tuning.json"]) == {"fast": TUNED}
    assert data["apply_tuning.py"] == SCRIPT.read_text()


def test_the_alias_takes_no_larger_batches_than_the_model_behind_it() -> None:
    data = one(render(with_values(VALUES, {"modelRepository": {"alias": "model"}})), "ConfigMap", "-scripts")["data"]
    assert json.loads(data["tuning.json"]) == {"fast": TUNED, "model": {"maxBatchSize": 4}}


def test_another_tuning_starts_new_pods() -> None:
    other = with_values(VALUES, {"modelRepository": {"tuning": {"fast": {"instances": 3}}}})
    name = "checksum/tuning"
    assert _pod(VALUES)["metadata"]["annotations"][name] != _pod(other)["metadata"]["annotations"][name]


def test_without_a_tuning_there_is_no_hook() -> None:
    pod = _pod(URL)
    assert "postStart" not in pod["spec"]["containers"][0]["lifecycle"]
    assert "checksum/tuning" not in pod["metadata"]["annotations"]
    assert "tuning.json" not in one(render(URL), "ConfigMap", "-scripts")["data"]


@pytest.mark.parametrize("tuned", [{}, {"batch": 4}, {"instances": 0}, {"maxBatchSize": "4"}, {"responseCache": "yes"}])
def test_a_wrong_tuning_is_refused(tuned: dict[str, Any]) -> None:
    with pytest.raises(HelmRefused, match="tuning"):
        render(with_values(URL, {"modelRepository": {"tuning": {"original": tuned}}}))


class Triton(http.server.ThreadingHTTPServer):
    """What the hook needs of Triton's HTTP protocol: live after some requests, one model, and what was loaded."""

    def __init__(self, not_live: int = 0, refuses: bool = False) -> None:
        self.not_live, self.refuses = not_live, refuses
        self.config: dict[str, Any] = {
            "name": "fast",
            "max_batch_size": 64,
            "instance_group": [{"count": 1, "kind": "KIND_CPU"}],
            "dynamic_batching": {"preferred_batch_size": [64]},
            "model_warmup": [{"name": "w", "batch_size": 64}],
            "input": [{"name": "image"}],
        }
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Triton

    def do_GET(self) -> None:
        if self.path == "/v2/health/live" and self.server.not_live > 0:
            self.server.not_live -= 1
            return self._answer(400, {})
        return self._answer(200, self.server.config if self.path == "/v2/models/fast/config" else {})

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.server.refuses:
            return self._answer(400, {"error": "out of memory"})
        self.server.config = json.loads(body["parameters"]["config"])
        return self._answer(200, {})

    def _answer(self, status: int, content: dict[str, Any]) -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(json.dumps(content).encode())

    def log_message(self, *_: object) -> None:
        pass


def run_hook(
    triton: Triton, tuning: dict[str, Any], folder: Path, deadline_s: float = 10.0
) -> subprocess.CompletedProcess[str]:
    """Run the hook on a tuning.json in `folder`."""
    path = folder / "tuning.json"
    path.write_text(json.dumps(tuning))
    command = [sys.executable, str(SCRIPT), str(triton.server_address[1]), str(deadline_s), str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def test_the_hook_changes_only_what_was_tuned(tmp_path: Path) -> None:
    triton = Triton(not_live=1)
    before = triton.config
    assert run_hook(triton, {"fast": TUNED}, tmp_path).returncode == 0
    assert triton.config == before | {
        "max_batch_size": 4,
        "instance_group": [{"count": 2, "kind": "KIND_CPU"}],
        "dynamic_batching": {"preferred_batch_size": [2], "max_queue_delay_microseconds": 10_000_000},
        "model_warmup": [{"name": "w", "batch_size": 4}],
    }


@pytest.mark.parametrize("cached", [True, False])
def test_a_response_cache_changes_nothing_else(cached: bool, tmp_path: Path) -> None:
    triton = Triton()
    before = triton.config = triton.config | {"response_cache": {"enable": not cached}}
    assert run_hook(triton, {"fast": {"responseCache": cached}}, tmp_path).returncode == 0
    assert triton.config == before | {"response_cache": {"enable": cached}}


def test_a_response_cache_stands_beside_tuned_values(tmp_path: Path) -> None:
    triton = Triton()
    assert run_hook(triton, {"fast": TUNED | {"responseCache": True}}, tmp_path).returncode == 0
    assert triton.config["max_batch_size"] == 4 and triton.config["response_cache"] == {"enable": True}


def test_the_server_s_cache_has_its_size_in_bytes() -> None:
    values = {"server": {"responseCache": {"size": "3Mi"}}, "modelRepository": {"tuning": {"original": CACHED}}}
    caches = [argument for argument in _arguments(values) if "cache" in argument]
    assert caches == ["--cache-config=local,size=3145728"]
    assert not [argument for argument in _arguments({}) if "cache" in argument]


def test_a_refusal_ends_the_hook_with_triton_s_reason(tmp_path: Path) -> None:
    done = run_hook(Triton(refuses=True), {"fast": TUNED}, tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip() == 'tuning fast: {"error": "out of memory"}'


def test_a_server_that_does_not_come_up_ends_the_hook(tmp_path: Path) -> None:
    done = run_hook(Triton(not_live=1000), {"fast": TUNED}, tmp_path, deadline_s=0.2)
    assert (done.returncode, done.stderr.strip()) == (1, "tuning: the server was not live in time")
