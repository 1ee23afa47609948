"""docs/tutorials/kind.md, run as it is written; making the cluster, the images and loading them aside."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import tools
from cluster import kubectl
from release import ROOT

ASIDE = ("kind ", "python3 -m nox -s build_images")


@pytest.fixture
def environment(namespace: str, images: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """A user's: Helm on PATH, and a kubeconfig whose namespace is the test's."""
    assert {"triton-cpu", "model-builder", "tfserving-front", "locust"} <= set(images)
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "helm").symlink_to(tools.helm())
    own = Path(shutil.copy(os.environ["KUBECONFIG"], tmp_path / "kubeconfig"))
    kubectl("--kubeconfig", str(own), "config", "set-context", "--current", f"--namespace={namespace}")
    return {**os.environ, "KUBECONFIG": str(own), "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}


def _commands() -> list[str]:
    (block,) = re.findall(r"```bash\n(.*?)```", (ROOT / "docs" / "tutorials" / "kind.md").read_text(), re.DOTALL)
    return [line for line in re.sub(r"(\\|(\|))\n +", r"\2 ", block).splitlines() if line]


@pytest.fixture
def answer(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """What the commands print last."""
    script = "set -euo pipefail\n" + "\n".join(line for line in _commands() if not line.startswith(ASIDE))
    printed, said = tmp_path / "printed", tmp_path / "said"
    with printed.open("w") as out, said.open("w") as error:
        # A session of its own: the last command but one stays in the background until its user ends it.
        process = subprocess.Popen(
            ["bash", "-c", script], cwd=ROOT, env=environment, stdout=out, stderr=error, start_new_session=True
        )
    try:
        assert process.wait(timeout=420) == 0, said.read_text()
        yield printed.read_text()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)


def test_six_commands_lead_to_an_answered_request(answer: str) -> None:
    assert len(_commands()) == 6
    (row,) = json.loads(answer[answer.rindex("{") :])["predictions"]
    assert len(row) == 10
    assert abs(sum(row) - 1) < 0.05
