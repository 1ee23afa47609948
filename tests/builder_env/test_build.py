"""A build makes every variant of a plan, and a rebuild only what changed."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from model_repo_builder.build import directory as build_module
from model_repo_builder.build.directory import build
from model_repo_builder.cli import main
from model_repo_builder.errors import BuildError, InvalidError
from model_repo_builder.plan.file import parse_plan
from model_repo_builder.report import BuildLog
from model_repo_builder.repository import alias
from model_repo_builder.signature import Signature


@pytest.fixture
def copy(repository: Path, tmp_path: Path) -> Path:
    """The repository, free to change."""
    return Path(shutil.copytree(repository, tmp_path / "repository"))


def inodes(variant: Path) -> dict[str, int]:
    return {str(path.relative_to(variant)): path.stat().st_ino for path in variant.rglob("*") if path.is_file()}


def test_every_variant_holds_its_files_and_nothing_else(repository: Path) -> None:
    assert sorted(path.name for path in repository.iterdir()) == ["bytes", "onnx_fp32", "onnx_int8", "original"]
    alias = {"1/alias/tiny/config.pbtxt", "1/alias/tiny/1/README"}
    own = {"config.pbtxt", "1/model.onnx", "1/model.py", "1/manifest.json", "1/examples.jsonl.gz"}
    assert set(inodes(repository / "onnx_int8")) == own | alias | {"warmup/row0.input0"}


def test_the_manifest_says_where_a_variant_comes_from(repository: Path) -> None:
    made = json.loads((repository / "onnx_int8" / "1" / "manifest.json").read_text())
    assert made["weights"] == "random:42"
    assert made["calibration"] == "16 images of synthetic:1"
    assert made["agreement"]["examples"] == 32
    assert made["agreement"]["top1"] > 0.5
    assert made["packages"]["onnxruntime"]


def test_show_prints_one_document_for_a_program(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(repository), "--json"]) == 0
    shown = {one["variant"]: one for one in json.loads(capsys.readouterr().out)}
    assert sorted(shown) == ["bytes", "onnx_fp32", "onnx_int8", "original"]
    assert shown["onnx_int8"]["precision"] == "int8" and shown["onnx_int8"]["bytes"] > 100_000
    # As the build has told it: of the version, and not of what lies beside it.
    files = [path for path in (repository / "onnx_int8" / "1").rglob("*") if path.is_file()]
    assert shown["onnx_int8"]["bytes"] == sum(path.stat().st_size for path in files)


def test_int8_is_smaller_than_fp32(repository: Path) -> None:
    sizes = [(repository / name / "1" / "model.onnx").stat().st_size for name in ("onnx_int8", "onnx_fp32")]
    assert sizes[0] < 0.6 * sizes[1]


def test_a_rebuild_without_changes_takes_less_than_two_seconds_of_cpu(
    copy: Path, raw: dict[str, Any], tmp_path: Path
) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(raw))
    before = {folder.name: inodes(folder) for folder in copy.iterdir()}
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [sys.executable, "-m", "model_repo_builder", "build", str(path), "--output", str(copy)]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert after.ru_utime + after.ru_stime - used.ru_utime - used.ru_stime < 2
    assert finished.stdout.count("unchanged") >= 4
    assert {folder.name: inodes(folder) for folder in copy.iterdir()} == before


def test_a_changed_batch_size_rewrites_the_configuration_alone(copy: Path, raw: dict[str, Any], log: BuildLog) -> None:
    before = inodes(copy / "onnx_int8")
    raw["variants"][2]["max_batch_size"] = 4
    rows = build(parse_plan(raw), copy, log)
    after = inodes(copy / "onnx_int8")
    assert [row.action for row in rows] == ["unchanged", "unchanged", "config rewritten", "unchanged"]
    assert after["1/model.onnx"] == before["1/model.onnx"]
    assert "max_batch_size: 4" in (copy / "onnx_int8" / "config.pbtxt").read_text()


def test_a_renamed_model_renames_the_alias_alone(copy: Path, raw: dict[str, Any], log: BuildLog) -> None:
    before = inodes(copy / "onnx_int8")
    raw["model"]["name"] = "renamed"
    rows = build(parse_plan(raw), copy, log)
    assert {row.action for row in rows} == {"config rewritten"}
    assert [path.name for path in (copy / "onnx_int8" / "1" / "alias").iterdir()] == ["renamed"]
    assert inodes(copy / "onnx_int8")["1/model.onnx"] == before["1/model.onnx"]


def test_the_ngc_runtime_has_no_model_py(copy: Path, raw: dict[str, Any], log: BuildLog) -> None:
    build(parse_plan(raw, runtime="ngc"), copy, log)
    assert not list(copy.rglob("model.py"))
    assert 'platform: "tensorflow_savedmodel"' in (copy / "original" / "config.pbtxt").read_text()


def test_too_little_agreement_fails_and_publishes_nothing(copy: Path, raw: dict[str, Any], log: BuildLog) -> None:
    before = {folder.name: inodes(folder) for folder in copy.iterdir()}
    raw["variants"][1]["max_batch_size"] = 2
    raw["variants"][2]["agreement"] = {"max_abs_diff": 1e-9}
    with pytest.raises(BuildError, match=r"variants\.onnx_int8\.agreement\.max_abs_diff: .*; allowed: at most 1e-09"):
        build(parse_plan(raw), copy, log)
    assert {folder.name: inodes(folder) for folder in copy.iterdir()} == before


def test_an_unknown_variant_is_named(raw: dict[str, Any]) -> None:
    with pytest.raises(InvalidError, match="--only: fast; allowed: original, onnx_fp32"):
        parse_plan(raw, only=["fast"])


def test_what_is_not_chosen_need_not_fit(raw: dict[str, Any]) -> None:
    raw["variants"].append({"name": "files", "engine": "onnxruntime", "encoded_images": True})
    with pytest.raises(InvalidError, match=r"variants\.files\.encoded_images: "):
        parse_plan(raw, runtime="ngc")
    parsed = parse_plan(raw, runtime="ngc", only=["original"])
    assert [variant.name for variant in parsed.chosen] == ["original"]


def test_the_alias_of_one_variant_is_that_of_a_whole_build(raw: dict[str, Any]) -> None:
    raw["variants"][1]["name"] = raw["model"]["name"]
    parsed = parse_plan(raw, only=["original"])
    assert alias.render(parsed, parsed.chosen[0], Signature((), ())) == ""


@pytest.mark.slow
def test_variants_that_need_the_same_artefact_share_one_build(
    tmp_path: Path, raw: dict[str, Any], log: BuildLog
) -> None:
    raw["variants"] = [
        {"name": "one", "engine": "onnxruntime"},
        {"name": "four", "engine": "onnxruntime", "instances": 4},
    ]
    rows = build(parse_plan(raw), tmp_path / "repository", log)
    assert [row.action for row in rows] == ["built", "as one"]
    one, four = (tmp_path / "repository" / name for name in ("one", "four"))
    assert (one / "1" / "model.onnx").samefile(four / "1" / "model.onnx")
    assert "count: 4" in (four / "config.pbtxt").read_text()
    assert json.loads((four / "1" / "manifest.json").read_text())["variant"] == "four"
    again = build(parse_plan(raw), tmp_path / "repository", log)
    assert [row.action for row in again] == ["unchanged", "unchanged"]


def test_a_corrupt_image_is_named_before_any_work(
    tmp_path: Path, raw: dict[str, Any], log: BuildLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_module, "freeze", lambda *_: pytest.fail("work began"))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    raw["calibration"] = {"images": "photos"}
    expected = r"calibration\.images: .*cannot be decoded, .*broken\.jpg .*; allowed: images"
    with pytest.raises(InvalidError, match=expected):
        build(parse_plan(raw, folder=tmp_path), tmp_path / "repository", log)


@pytest.mark.slow
def test_kill_9_in_the_middle_of_a_build_leaves_the_repository(copy: Path, raw: dict[str, Any], tmp_path: Path) -> None:
    before = {folder.name: inodes(folder) for folder in copy.iterdir()}
    raw["model"]["weights"] = "random:43"
    path = tmp_path / "plan.yaml"
    path.write_text(yaml.safe_dump(raw))
    command = [sys.executable, "-m", "model_repo_builder", "build", str(path), "--output", str(copy)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdout is not None
        assert any("calibrating" in line for line in running.stdout)
        os.kill(running.pid, signal.SIGKILL)
    assert {folder.name: inodes(folder) for folder in copy.iterdir() if folder.name != ".build"} == before
