"""The options of `model-repo-builder speed-test`; what does the work is imported when it runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add_to(commands: Any) -> None:
    """Add the command to the parser's."""
    parser = commands.add_parser("speed-test", help="execute variants without a server: how many a second, top-5")
    parser.add_argument("target", type=Path, metavar="PLAN|DIR", help="a plan (built first), or a model repository")
    parser.add_argument("--only", default="", metavar="NAME,...", help="these variants only, in this order")
    parser.add_argument("--batch", default="", metavar="N,...", help="batch sizes (default: 1,8,32 up to the maximum)")
    parser.add_argument("--image", type=Path, action="append", metavar="FILE", help="an image to classify; repeatable")
    parser.add_argument("--repeats", default="5", metavar="N", help="repeats of each measurement (default: 5)")
    parser.add_argument("--seconds", default="2", metavar="S", help="seconds of one repeat (default: 2)")
    parser.add_argument("--output", type=Path, default=Path("speed-test"), metavar="DIR", help="for log and JSON")
    parser.add_argument("--quiet", action="store_true", help="print errors only")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from model_repo_builder.speed_test.command import run

    return run(options)
