"""`model-repo-builder speed-test`: builds where it is given a plan, measures, prints tables, keeps a log and JSON."""

from __future__ import annotations

import argparse
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from command_line.environment import describe_environment
from command_line.files import check_output, output_folder, write_whole
from model_repo_builder.errors import BuildError, InvalidError
from model_repo_builder.examples import images, photographs
from model_repo_builder.examples.kinds import IMAGES, kind_of
from model_repo_builder.report import BuildLog, console
from model_repo_builder.speed_test import tables, variants
from model_repo_builder.speed_test.measure import measure
from model_repo_builder.speed_test.variants import Built
from model_repo_builder.speed_test.worker import Job

# One image, a batch that keeps a CPU busy, and one that a GPU wants; each up to a variant's maximum.
BATCHES = (1, 8, 32)


def run(options: argparse.Namespace) -> int:
    """Measure every chosen variant; the log is kept however the test ends."""
    images.check_files(options.image or (), "--image")
    with output_folder(check_output(options.output)):
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    jobs = _jobs(options)
    pictures = _pictures(jobs, options.image or ())
    environment = describe_environment()
    variants.require_gpu([job.variant for job in jobs], environment["gpus"])
    screen = console(quiet=options.quiet, record=True)
    try:
        test = measure(jobs, pictures, environment, BuildLog(screen))
        write_whole(options.output / "speed-test.json", test.model_dump_json(indent=1) + "\n")
        for table in tables.both(test):
            screen.print(table)
    finally:
        screen.save_text(str(options.output / "speed-test.log"))
    if not options.quiet:
        print(f"log and every latency: {options.output}/speed-test.log, speed-test.json")
    return 0


def _pictures(jobs: Sequence[Job], asked: Sequence[Path]) -> Sequence[Path]:
    """The images to show: those that were asked for, or a cat; none to models that take none."""
    others = [job.variant for job in jobs if kind_of(job.variant.manifest.signature) is not IMAGES]
    if others and asked:
        sample_kind = kind_of(others[0].manifest.signature).sample_kind
        raise InvalidError("--image", asked[0], f"nothing, as {others[0].name} takes {sample_kind}")
    return asked or ([] if others else [photographs.file(photographs.CAT, "--image")])


def _jobs(options: argparse.Namespace) -> list[Job]:
    """What the options ask for, checked before a plan is built."""
    repeats = int(_number("--repeats", options.repeats, 1, 1000))
    seconds = _number("--seconds", options.seconds, 0.01, 3600)
    asked = [int(_number("--batch", text, 1, 4096)) for text in options.batch.split(",") if text]
    only = [name for name in options.only.split(",") if name]
    return [
        Job(variant=variant, batches=_batches(variant, asked), repeats=repeats, seconds=seconds)
        for variant in variants.read(_repository(options), only)
    ]


def _number(field: str, text: str, least: float, most: float) -> float:
    allowed = f"{'numbers' if isinstance(least, float) else 'whole numbers'} from {least} to {most}"
    try:
        value = float(text) if isinstance(least, float) else int(text)
    except ValueError:
        raise InvalidError(field, text, allowed) from None
    if not least <= value <= most:
        raise InvalidError(field, text, allowed)
    return value


def _repository(options: argparse.Namespace) -> Path:
    """The repository to measure; a plan is built by a process that gives the GPU's memory back when it ends."""
    target: Path = options.target
    if target.is_dir():
        return target
    if not target.is_file():
        raise InvalidError("TARGET", f"{target} does not exist", "a plan, or a model repository")
    models: Path = options.output / "models"
    command = [sys.executable, "-m", "model_repo_builder", "build", str(target), "--output", str(models)]
    chosen = [f"--only={options.only}"] if options.only else []
    done = subprocess.run([*command, *chosen, *(["--quiet"] if options.quiet else [])], check=False)
    if done.returncode:
        raise BuildError(f"TARGET: {target} could not be built; allowed: a plan that builds, see above")
    return models


def _batches(variant: Built, asked: Sequence[int]) -> tuple[int, ...]:
    if not variant.max_batch_size:
        # It takes no batches: each request is one.
        return (1,)
    for size in asked:
        if size > variant.max_batch_size:
            raise InvalidError("--batch", size, f"at most {variant.max_batch_size}, max_batch_size of {variant.name}")
    return tuple(asked) or tuple(size for size in BATCHES if size <= variant.max_batch_size)
