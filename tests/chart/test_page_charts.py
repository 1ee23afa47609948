"""Every `helm install` and `helm upgrade` of the pages renders, with the chart, the files and the values it names."""

import re
import subprocess
from pathlib import Path

import pytest
from doc_commands import Command, commands
from doc_pages import ROOT, pages
from render import tools
from umbrella import assemble

# Their commands are run in a whole, in a cloud that only remembers: test_docs.py.
RUN_ELSEWHERE = {Path("docs/tutorials/gke.md")}
# Where the pages take charts from that are published.
REGISTRY = "oci://REGISTRY/PATH/"
# Options of an installation that `helm template` does not have.
_NOT_RENDERED = {"--install", "--reset-then-reuse-values", "--reuse-values", "--force-conflicts", "--atomic"}


def installations() -> list[Command]:
    """The commands of all pages that install a chart of this repository and are whole."""
    found = {}
    for page in pages():
        for command in commands(page) if page not in RUN_ELSEWHERE else []:
            installs = {"install", "upgrade"} & set(command.words)
            if command.words[0] == "helm" and installs and command.is_whole and _chart(command):
                found.setdefault(command.words, command)
    return list(found.values())


def _chart(command: Command) -> str | None:
    """The chart that is installed, as a folder below charts/, also where the page takes it from a registry."""
    names = [word.replace(REGISTRY, "charts/") for word in command.words]
    return next((name for name in names if re.fullmatch(r"charts/[a-z-]+", name)), None)


@pytest.fixture(scope="module")
def umbrella(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return assemble(tmp_path_factory.mktemp("umbrella"))


@pytest.mark.parametrize("command", installations(), ids=str)
def test_an_installation_renders_as_it_is_written(command: Command, umbrella: Path) -> None:
    chart = _chart(command)
    written = [word for word in command.words[1:] if word not in ("install", "upgrade")]
    words = [word for word in written if word not in _NOT_RENDERED]
    given = [
        str(umbrella) if word == "charts/inference-system" else word.replace(REGISTRY, "charts/") for word in words
    ]
    # An upgrade that keeps values stands on an installation that had what the chart demands, and gets its file from
    # another command.
    if "--reset-then-reuse-values" in written and chart == "charts/triton":
        source = ["--set", "modelRepository.source=url", "--set", "modelRepository.url=gs://BUCKET/models"]
        given = [*_without_files(given), *source]
    done = subprocess.run(
        [str(tools.helm()), "template", *given], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr


def _without_files(words: list[str]) -> list[str]:
    kept: list[str] = []
    for word in words:
        if kept and kept[-1] in ("-f", "--values") and not (ROOT / word).is_file():
            kept.pop()
        else:
            kept.append(word)
    return kept
