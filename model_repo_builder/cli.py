"""The command `model-repo-builder`: exit status 0 for success, 1 for a failed build, 2 for usage and invalid plans.

What does the work is imported when it runs: `--help` needs no package but the project's own.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from command_line.entry import run_command
from command_line.extras import TRITON, naming_extra, need
from command_line.options import Parser, add_common
from model_repo_builder.errors import InvalidError
from model_repo_builder.speed_test import options as speed_test

if TYPE_CHECKING:
    from model_repo_builder.plan.schema import Plan

_EXTRA = "builder"
# Reading plans and models, and comparing what they answer.
_READING = (*TRITON, "PIL")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code is one of `command_line.exit_codes`."""

    def work() -> int:
        options = _parser().parse_args(arguments)
        need(_EXTRA, *_READING)
        with naming_extra(_EXTRA):
            return int(options.run(options))

    return run_command("model-repo-builder", work, lambda: "interrupted; what was published before is unchanged")


def _warn(plan: Plan) -> None:
    from model_repo_builder.plan import native_runtime

    for warning in native_runtime.warnings(plan):
        print(f"model-repo-builder: warning: {warning}", file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(prog="model-repo-builder", description="Build a Triton model repository.")
    add_common(parser)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    build = commands.add_parser("build", help="build what changed of a plan and publish it atomically")
    build.add_argument("plan", type=Path, metavar="PLAN", help="the plan, a YAML file")
    build.add_argument("--output", required=True, metavar="DIR|URL", help="the model repository")
    build.add_argument("--only", metavar="NAME,...", help="these variants only")
    build.add_argument("--quiet", action="store_true", help="print errors only")
    build.add_argument("--any-gpu", action="store_true", help="ignore the compute capability that the plan is made for")
    build.set_defaults(run=_build)
    init = commands.add_parser("init", help="print a plan for a SavedModel, to check and to build")
    init.add_argument("source", metavar="SAVEDMODEL", help="its directory, saved_model.pb, or one in a bucket")
    init.add_argument("--signature", metavar="NAME", help="instead of serving_default")
    init.set_defaults(run=_init)
    validate = commands.add_parser("validate", help="check a plan, its source and its images, without building")
    validate.add_argument("plan", type=Path, metavar="PLAN", help="the plan, a YAML file")
    validate.set_defaults(run=_validate)
    show = commands.add_parser("config", help="print the config.pbtxt of each variant, without building")
    show.add_argument("plan", type=Path, metavar="PLAN", help="the plan, a YAML file")
    show.set_defaults(run=_config)
    for command in (build, validate, show):
        command.add_argument("--runtime", choices=("ngc", "python"), help="instead of the plan's own")
    listing = commands.add_parser("show", help="print what a model repository holds")
    listing.add_argument("repository", type=Path, metavar="DIR", help="the model repository")
    listing.set_defaults(run=_show)
    for command in (build, listing):
        command.add_argument("--json", action="store_true", help="print one JSON document, and nothing else")
    speed_test.add_to(commands)
    return parser


def _build(options: argparse.Namespace) -> int:
    from model_repo_builder import bucket
    from model_repo_builder.plan.file import load_plan
    from model_repo_builder.report import BuildLog, as_json, console

    only = [name.strip() for name in (options.only or "").split(",") if name.strip()]
    if options.only is not None and not only:
        raise InvalidError("--only", options.only, "names of variants, with commas between them")
    valid = load_plan(options.plan, options.runtime, any_gpu=options.any_gpu, only=only)
    if not options.quiet:
        _warn(valid)
    # TensorFlow reads these when it is imported, which happens only once everything cheap has been checked.
    on_cpu = all(variant.device == "cpu" for variant in valid.chosen)
    # TensorRT says only in its log why it could not build an engine.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if on_cpu else "2")
    if on_cpu:
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "")
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    from model_repo_builder.build.bucket import build_to_bucket
    from model_repo_builder.build.directory import build

    log = BuildLog(console(), quiet=options.quiet or options.json)
    if bucket.is_url(options.output):
        rows = build_to_bucket(valid, options.output, log)
    else:
        rows = build(valid, Path(options.output), log)
    log.summary(rows)
    if options.json:
        print(as_json(rows))
    return 0


def _init(options: argparse.Namespace) -> int:
    from model_repo_builder import init_plan

    print(init_plan.write(options.source, options.signature), end="")
    return 0


def _validate(options: argparse.Namespace) -> int:
    from model_repo_builder.build.check import check
    from model_repo_builder.plan.file import load_plan

    valid = load_plan(options.plan, options.runtime)
    check(valid)
    _warn(valid)
    for variant in valid.variants:
        for warning in variant.warnings:
            print(f"WARNING: variants.{variant.name}: {warning}")
    print(f"{options.plan}: valid; runtime {valid.runtime}; variants {', '.join(v.name for v in valid.variants)}")
    return 0


def _config(options: argparse.Namespace) -> int:
    from model_repo_builder.plan.file import load_plan
    from model_repo_builder.repository import config_pbtxt
    from model_repo_builder.signature import OPEN
    from model_repo_builder.sources import specification

    valid = load_plan(options.plan, options.runtime)
    _warn(valid)
    known = specification.signature(valid.model)
    ranks_are_known = known is not None and all(min(one.shape, default=0) >= OPEN for one in known.outputs)
    if known is None or not ranks_are_known:
        allowed = f"{specification.KNOWN_SIGNATURES}, a SavedModel that says the rank of its outputs; build writes all"
        raise InvalidError("model.source", valid.model.source, allowed)
    for variant in valid.variants:
        signature = known.in_form(valid.form(variant))
        print(f"# {variant.name}/config.pbtxt\n{config_pbtxt.render(variant, signature, valid.runtime)}")
    return 0


def _show(options: argparse.Namespace) -> int:
    from model_repo_builder.report import Row, as_json, console, table
    from model_repo_builder.repository import manifest

    if not options.repository.is_dir():
        raise InvalidError("DIR", options.repository, "a model repository")
    found = [manifest.read(folder) for folder in sorted(options.repository.iterdir()) if folder.is_dir()]
    rows = [
        Row(made, "published", made.build_seconds, _size_of_versions(options.repository / made.variant))
        for made in found
        if made is not None
    ]
    if not rows:
        raise InvalidError("DIR", f"{options.repository} holds no variant", "a repository that this command built")
    if options.json:
        print(as_json(rows))
    else:
        console().print(table(rows))
    return 0


def _size_of_versions(folder: Path) -> int:
    """Bytes of a variant's versions, as `build` tells them: without what lies beside these."""
    from model_repo_builder.repository.stage import size_of

    return sum(size_of(version) for version in folder.iterdir() if version.name.isdecimal())
