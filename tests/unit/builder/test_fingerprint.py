"""A fingerprint changes exactly when what it stands for changes: the artefact, or only how it is served."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from model_repo_builder.engines.cpu import has_vnni
from model_repo_builder.plan.file import parse_plan
from model_repo_builder.plan.model import Model
from model_repo_builder.repository import fingerprint
from model_repo_builder.sources import specification


def artefact(raw: dict[str, Any], folder: Path = Path()) -> str:
    """The artefact's fingerprint of the plan's second variant."""
    parsed = parse_plan(raw, folder=folder)
    return fingerprint.artefact(parsed, parsed.variants[1], specification.identity(parsed.model))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("variants", 1, "instances"), 4),
        (("variants", 1, "max_batch_size"), 8),
        (("variants", 1, "max_queue_delay_us"), 500),
        (("variants", 1, "options"), {"intra_op_threads": 1}),
        (("variants", 1, "agreement"), {"min_top1": 0.1}),
        (("runtime",), "ngc"),
        (("model", "name"), "other"),
    ],
    ids=lambda part: str(part),
)
def test_how_a_variant_is_served_does_not_change_its_artefact(
    raw: dict[str, Any], changed: Callable[..., dict[str, Any]], path: tuple[str | int, ...], value: object
) -> None:
    before = artefact(raw)
    assert artefact(changed(*path, value=value)) == before


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("variants", 1, "precision"), "fp32"),
        (("variants", 1, "input_dtype"), "uint8"),
        (("variants", 1, "options"), {"weight_range": "7bit"}),
        (("variants", 1, "options"), {"calibration_method": "entropy"}),
        (("calibration",), {"images": "synthetic:2"}),
        (("model", "weights"), "random:43"),
        (("model", "preprocessing"), "caffe"),
        (("model", "input", "size"), [64, 64]),
    ],
    ids=lambda part: str(part),
)
def test_what_an_artefact_is_made_of_changes_its_fingerprint(
    raw: dict[str, Any], changed: Callable[..., dict[str, Any]], path: tuple[str | int, ...], value: object
) -> None:
    # `auto` would follow this machine's CPU and could equal either range.
    raw["variants"][1]["options"] = {"weight_range": "8bit"}
    before = artefact(raw)
    assert artefact(changed(*path, value=value)) != before


def test_the_content_of_a_savedmodel_is_its_identity(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"one")
    model = Model(name="own", source=str(tmp_path))
    before = specification.identity(model)
    assert specification.identity(model) == before
    (tmp_path / "saved_model.pb").write_bytes(b"two")
    assert specification.identity(model) != before


@pytest.mark.parametrize(
    ("flags", "expected"), [("fpu avx2 avx512_vnni", True), ("fpu avx_vnni", True), ("fpu avx2 avx512f", False)]
)
def test_vnni_is_read_from_the_flags_of_the_cpu(flags: str, expected: bool) -> None:
    assert has_vnni(f"processor : 0\nflags\t\t: {flags}\n") is expected
