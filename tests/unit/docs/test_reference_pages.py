"""Pages that follow from sources are current, and what lists other things lists all of them."""

import re
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import reference_plan
import yaml
from doc_pages import ROOT, links, pages, prose

from command_line.exit_codes import ExitCode

PLANS = sorted((ROOT / "plans").glob("*.yaml"))


def test_generated_pages_are_current() -> None:
    done = subprocess.run(
        [sys.executable, "ci/reference_docs.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("plan", PLANS, ids=lambda path: path.name)
def test_the_published_schema_accepts_the_plans(plan: Path) -> None:
    jsonschema.validate(yaml.safe_load(plan.read_text(encoding="utf-8")), reference_plan.schema())


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"variants": [{"name": "a", "engine": "onxruntime"}]}, "variants/0/engine"),
        ({"variants": [{"name": "a", "engine": "tensorflow", "instances": 0}]}, "variants/0/instances"),
        ({"defaults": {"max_batch": 4}}, "defaults"),
        ({"runtime": "ncg"}, "runtime"),
        ({"calibraton": {}}, ""),
    ],
)
def test_the_published_schema_refuses_what_the_builder_refuses(changed: dict, where: str) -> None:
    plan = {"model": {"name": "m", "source": "x"}, "variants": [{"name": "a", "engine": "tensorflow"}], **changed}
    with pytest.raises(jsonschema.ValidationError) as refused:
        jsonschema.validate(plan, reference_plan.schema())
    assert "/".join(map(str, refused.value.absolute_path)) == where


def test_the_table_of_exit_codes_has_every_code() -> None:
    rows = re.findall(r"^\| (\d+) \| ([a-z ]+) \|", prose(Path("docs/reference/exit-codes.md")), re.MULTILINE)
    assert {(int(code), name.replace(" ", "_").upper()) for code, name in rows} == {(c.value, c.name) for c in ExitCode}


@pytest.mark.parametrize("index", ["docs/README.md", "docs/runbooks/README.md"])
def test_every_page_stands_in_an_index(index: str) -> None:
    folder = Path(index).parent
    listed = {(folder / target.partition("#")[0]).as_posix() for target in links(Path(index))}
    apart = {"docs/README.md", "docs/runbooks/README.md", "docs/decisions/README.md"}
    there = {page.as_posix() for page in pages() if page.is_relative_to(folder)} - apart
    if folder == Path("docs"):
        there = {page for page in there if page.split("/")[1] not in ("runbooks", "decisions")}
    assert there <= listed
