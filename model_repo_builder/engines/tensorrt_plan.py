"""Builds a TensorRT plan file from an ONNX graph, by trtexec or the Python package `tensorrt`, whichever is there."""

from __future__ import annotations

import importlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from model_repo_builder.errors import BuildError, UnsupportedError
from model_repo_builder.signature import OPEN, STRING, Signature

# Where NVIDIA's images have it; not on their PATH.
TRTEXEC = "/usr/src/tensorrt/bin/trtexec"
# Before 8.6 an optimization level was not to be had, nor a shape for a tensor's name.
OLDEST = (8, 6, 0)
# From here on a network can be strongly typed: precision stands in the graph, not in flags of the builder.
STRONGLY_TYPED_MAJOR = 10
# From here on every network is, and the flags are gone.
WITHOUT_FLAGS_MAJOR = 11
STRONGLY_TYPED = "stronglyTyped"
ALLOWED = f"TensorRT 8.6 or newer: trtexec on PATH or at {TRTEXEC}, or the Python package tensorrt"


@dataclass(frozen=True)
class Profile:
    """The shapes of an input that a plan takes: the smallest, the one it is fastest at, the largest."""

    name: str
    least: tuple[int, ...]
    best: tuple[int, ...]
    most: tuple[int, ...]


@dataclass(frozen=True)
class Wanted:
    """What is built: of which graph, for which shapes, under which flags, and how hard TensorRT looks for kernels.

    `flags` are names of trtexec's options: `stronglyTyped`, or `fp16` and `int8`.
    """

    graph: Path
    shapes: Sequence[Profile]
    flags: tuple[str, ...]
    workspace_mb: int
    level: int


@dataclass(frozen=True)
class Tool:
    """What builds plans here: the path of trtexec, or None for the Python package; and its version."""

    trtexec: str | None
    version: tuple[int, int, int]

    @property
    def version_text(self) -> str:
        """As `10.8.0`."""
        return ".".join(map(str, self.version))


def profiles(signature: Signature, largest: int) -> tuple[Profile, ...]:
    """A profile of each input, for batches of 1 to `largest` and open sizes of 1 to the example's.

    Kernels are chosen for the largest. None where all sizes stand in the graph, as without a batch. UnsupportedError
    for texts.
    """
    for tensor in signature.inputs:
        if tensor.dtype == STRING:
            raise UnsupportedError(f"a plan can't take the input {tensor.named_shape()}; allowed: numbers")
    if not (signature.batched or signature.is_open):
        return ()

    def shape(batch: int, sizes: tuple[int, ...]) -> tuple[int, ...]:
        return (batch, *sizes) if signature.batched else sizes

    return tuple(
        Profile(
            tensor.name,
            shape(1, tuple(1 if size == OPEN else size for size in tensor.shape)),
            shape(largest, tensor.example_shape),
            shape(largest, tensor.example_shape),
        )
        for tensor in signature.inputs
    )


def flags(version: tuple[int, int, int], precision: str) -> tuple[str, ...]:
    """How types are chosen: by the graph alone where TensorRT can, else by flags that allow a precision.

    An INT8 graph leaves in FP32 what is not quantised; as long as there are flags, TensorRT may run that in half
    precision.
    """
    strongly = (STRONGLY_TYPED,)
    if precision == "int8":
        return ("fp16", "int8") if version[0] < WITHOUT_FLAGS_MAJOR else strongly
    if version[0] >= STRONGLY_TYPED_MAJOR:
        return strongly
    return ("fp16",) if precision == "fp16" else ()


def arguments(wanted: Wanted, plan: Path) -> list[str]:
    """What trtexec is asked to do: build the plan, and not measure it."""

    def joined(which: str) -> str:
        return ",".join(f"{one.name}:{'x'.join(map(str, getattr(one, which)))}" for one in wanted.shapes)

    profile = (("min", "least"), ("opt", "best"), ("max", "most")) if wanted.shapes else ()
    return [
        f"--onnx={wanted.graph}",
        f"--saveEngine={plan}",
        *(f"--{flag}" for flag in wanted.flags),
        *(f"--{option}Shapes={joined(which)}" for option, which in profile),
        f"--memPoolSize=workspace:{wanted.workspace_mb}",
        f"--builderOptimizationLevel={wanted.level}",
        "--skipInference",
    ]


def parse_version(banner: str) -> tuple[int, int, int] | None:
    """The version in trtexec's first line, `[TensorRT v100800]`: two digits each for minor and patch from 10 on.

    Before, 8.6.1 was v8601 (NvInferVersion.h). None where there is no such line.
    """
    match = re.search(r"\[TensorRT v(\d{4,6})\]", banner)
    if match is None:
        return None
    number = int(match[1])
    if number >= STRONGLY_TYPED_MAJOR * 10_000:
        return number // 10_000, number // 100 % 100, number % 100
    return number // 1000, number // 100 % 10, number % 100


@cache
def find() -> Tool | None:
    """The tool to build with: trtexec where it runs, else the Python package; None where there is neither."""
    return next(_found(), None)


def _found() -> Iterator[Tool]:
    for program in filter(None, (shutil.which("trtexec"), shutil.which(TRTEXEC))):
        printed = subprocess.run([program, "--help"], capture_output=True, text=True, timeout=60, check=False)
        version = parse_version(printed.stdout + printed.stderr)
        if version is not None:
            yield Tool(program, version)
    package = module()
    if package is not None:
        numbers = re.findall(r"\d+", package.__version__)[:3]
        yield Tool(None, (int(numbers[0]), int(numbers[1]), int(numbers[2])))


@cache
def module() -> Any:
    """The Python package tensorrt, which also executes plans; None where it is missing or its libraries are.

    A distribution of that name may be there without the module, so the module itself is asked.
    """
    try:
        found = importlib.import_module("tensorrt")
    except (ImportError, OSError):
        return None
    return found if hasattr(found, "Builder") else None


def build(tool: Tool, wanted: Wanted, plan: Path) -> None:
    """Write `plan`; BuildError with TensorRT's own reason where it can't."""
    if tool.trtexec is None:
        _by_package(wanted, plan)
        return
    command = [tool.trtexec, *arguments(wanted, plan)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not plan.is_file():
        raise BuildError(f"trtexec failed: {_reason(done.stdout + done.stderr)}")


def _reason(log: str) -> str:
    """The first line that trtexec marks as an error."""
    errors = [line.partition("[E]")[2].strip() for line in log.splitlines() if "[E]" in line]
    return (errors or log.strip().splitlines()[-1:] or ["no output"])[0][:400]


def _by_package(wanted: Wanted, plan: Path) -> None:
    trt = module()
    logger = trt.Logger(trt.Logger.ERROR)
    builder = trt.Builder(logger)
    network = builder.create_network(_creation_flags(trt, wanted.flags))
    parser = trt.OnnxParser(network, logger)
    if not parser.parse_from_file(str(wanted.graph)):
        raise BuildError(f"TensorRT can't read the graph: {parser.get_error(0).desc()}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, wanted.workspace_mb * 2**20)
    config.builder_optimization_level = wanted.level
    for flag in (one for one in wanted.flags if one != STRONGLY_TYPED):
        config.set_flag(getattr(trt.BuilderFlag, flag.upper()))
    if wanted.shapes:
        profile = builder.create_optimization_profile()
        for one in wanted.shapes:
            profile.set_shape(one.name, one.least, one.best, one.most)
        config.add_optimization_profile(profile)
    serialized = builder.build_serialized_network(network, config)
    if serialized is None:
        raise BuildError("TensorRT built no plan; its log above says why")
    plan.write_bytes(serialized)


def _creation_flags(trt: Any, chosen: tuple[str, ...]) -> int:
    """Before TensorRT 10 a network had to be told that its shapes hold the batch; later that is always so."""
    names = ["STRONGLY_TYPED"] if STRONGLY_TYPED in chosen else []
    if int(trt.__version__.partition(".")[0]) < STRONGLY_TYPED_MAJOR:
        names.append("EXPLICIT_BATCH")
    return sum(1 << int(getattr(trt.NetworkDefinitionCreationFlag, name)) for name in names)
