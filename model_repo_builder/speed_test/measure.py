"""Measures variants one after the other, each in a process of its own, and gathers what they did."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from example_files import kept
from model_repo_builder.engines import ENGINES
from model_repo_builder.errors import BuildError
from model_repo_builder.examples import image_file
from model_repo_builder.examples.kinds import ARRAYS, IMAGES, Examples, Kind, alike, as_inputs, kind_of, size_of_images
from model_repo_builder.report import BuildLog
from model_repo_builder.repository import fingerprint
from model_repo_builder.speed_test import worker
from model_repo_builder.speed_test.results import ImageFile, SpeedTest, VariantResult, summarise

# What a model is shown that takes no images, and was built before samples were kept.
SYNTHETIC, MOST_SHOWN = "synthetic:1", 8


def measure(
    jobs: Sequence[worker.Job], pictures: Sequence[Path], environment: dict[str, Any], log: BuildLog
) -> SpeedTest:
    """Run every job on the same pictures; BuildError that names the variant when one can't be executed."""
    log.event("machine", ", ".join([environment["cpu"], f"{environment['cpu_cores']} cores", *environment["gpus"]]))
    log.event("method", f"{jobs[0].repeats} repeats of {jobs[0].seconds:g} s each after a warm-up, no server")
    return SpeedTest(
        model=jobs[0].variant.manifest.model,
        sample_kind=_kind(jobs[0]).sample_kind,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        environment=environment,
        images=tuple(_image(path) for path in pictures),
        variants=tuple(_variant(job, pictures, log) for job in jobs),
    )


def _image(path: Path) -> ImageFile:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return ImageFile(name=path.name, sha256=sha256, thumbnail=_thumbnail(image_file.decode(path, "--image")))


def _thumbnail(picture: Any) -> str:
    """A JPEG of at most 240 pixels a side, in base64, of PIL's image."""
    small, text = picture.copy(), io.BytesIO()
    small.thumbnail((240, 240))
    small.save(text, "JPEG", quality=80)
    return base64.b64encode(text.getvalue()).decode()


def _variant(job: worker.Job, pictures: Sequence[Path], log: BuildLog) -> VariantResult:
    made = job.variant.manifest
    log.event(made.variant, f"{made.engine} {made.precision}, weights: {made.weights}")
    outcome = _in_a_process(job, pictures)
    for point in outcome.points:
        log.event(made.variant, f"batch {point.batch}: {summarise(point).rate_per_s:.1f} {_kind(job).sample_kind}/s")
    if not outcome.guesses and _kind(job) is IMAGES:
        first = made.signature.outputs[0]
        log.event(made.variant, f"no top-5: output {first.name} {list(first.shape)} is no vector of classes")
    return VariantResult(
        name=made.variant,
        engine=made.engine,
        precision=made.precision,
        input_dtype=made.input_dtype,
        device="gpu" if job.variant.gpu else "cpu",
        parameters=job.variant.parameters,
        packages=fingerprint.installed((*ENGINES[made.engine].packages, "numpy")),
        weights=made.weights,
        pretrained=made.pretrained,
        points=outcome.points,
        guesses=outcome.guesses,
    )


def _in_a_process(job: worker.Job, pictures: Sequence[Path]) -> worker.Outcome:
    with tempfile.TemporaryDirectory(prefix="speed-test-") as name:
        folder = Path(name)
        (folder / worker.JOB).write_text(job.model_dump_json(), encoding="utf-8")
        np.savez(folder / worker.SHOWN, **_shown(job, pictures))
        # What frameworks log goes where it is seen only if the process fails.
        done = subprocess.run(
            [sys.executable, "-m", worker.__name__, name],
            env={"TF_CPP_MIN_LOG_LEVEL": "3", **os.environ},
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise BuildError(f"variants.{job.variant.name}: {_reason(done)}; allowed: an artefact that runs here")
        return worker.Outcome.model_validate_json((folder / worker.OUTCOME).read_text(encoding="utf-8"))


def _kind(job: worker.Job) -> Kind:
    return kind_of(job.variant.manifest.signature)


def _shown(job: worker.Job, pictures: Sequence[Path]) -> Examples:
    """The pictures; of other models the sample beside the variant, as far as a batch can be made of it."""
    signature, kind = job.variant.manifest.signature, _kind(job)
    sample = job.variant.folder / kept.FILE
    if kind is not IMAGES and sample.is_file():
        return alike(ARRAYS.load(str(sample), "TARGET", MOST_SHOWN, signature, 0))
    if kind is not IMAGES:
        return kind.load(SYNTHETIC, "TARGET", MOST_SHOWN, signature, 0)
    size = size_of_images(signature.image)
    pixels = np.stack([image_file.fit(image_file.decode(path, "--image"), size) for path in pictures])
    return {signature.image.name: as_inputs(pixels, signature.image)}


def _reason(failed: subprocess.CompletedProcess[str]) -> str:
    if failed.returncode < 0:
        return f"ended by signal {-failed.returncode} (9: out of memory, mostly)"
    lines = failed.stderr.strip().splitlines() or ["no output"]
    return f"failed: {' '.join(lines[-1].split())[:400]}"
