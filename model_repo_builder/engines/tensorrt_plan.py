"""Builds a TensorRT plan file from an ONNX graph, by trtexec or the Python package `tensorrt`, whichever is there."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from model_repo_builder.errors import BuildError
from model_repo_builder.signature import OPEN, Signature

# Where NVIDIA's images have it; not on their PATH.
TRTEXEC = "/usr/src/tensorrt/bin/trtexec"
# From here on networks are strongly typed: precision stands in the graph, not in a flag of the builder.
OLDEST_MAJOR = 10
ALLOWED = f"TensorRT {OLDEST_MAJOR} or newer: trtexec on PATH or at {TRTEXEC}, or the Python package tensorrt"


@dataclass(frozen=True)
class Profile:
    """The shapes of an input that a plan takes: the smallest, the one it is fastest at, the largest."""

    name: str
    least: tuple[int, ...]
    best: tuple[int, ...]
    most: tuple[int, ...]


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

    Kernels are chosen for the largest.
    """

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


def arguments(graph: Path, plan: Path, shapes: Sequence[Profile], workspace_mb: int, level: int) -> list[str]:
    """What trtexec is asked to do: build the plan, and not measure it."""

    def joined(which: str) -> str:
        return ",".join(f"{one.name}:{'x'.join(map(str, getattr(one, which)))}" for one in shapes)

    return [
        f"--onnx={graph}",
        f"--saveEngine={plan}",
        "--stronglyTyped",
        f"--minShapes={joined('least')}",
        f"--optShapes={joined('best')}",
        f"--maxShapes={joined('most')}",
        f"--memPoolSize=workspace:{workspace_mb}",
        f"--builderOptimizationLevel={level}",
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
    if number >= OLDEST_MAJOR * 10_000:
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
    try:
        numbers = re.findall(r"\d+", importlib.metadata.version("tensorrt"))[:3]
    except importlib.metadata.PackageNotFoundError:
        return
    yield Tool(None, (int(numbers[0]), int(numbers[1]), int(numbers[2])))


def build(tool: Tool, graph: Path, plan: Path, shapes: Sequence[Profile], workspace_mb: int, level: int) -> None:
    """Write `plan`; BuildError with TensorRT's own reason where it can't."""
    if tool.trtexec is None:
        _by_package(graph, plan, shapes, workspace_mb, level)
        return
    command = [tool.trtexec, *arguments(graph, plan, shapes, workspace_mb, level)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode or not plan.is_file():
        raise BuildError(f"trtexec failed: {_reason(done.stdout + done.stderr)}")


def _reason(log: str) -> str:
    """The first line that trtexec marks as an error."""
    errors = [line.partition("[E]")[2].strip() for line in log.splitlines() if "[E]" in line]
    return (errors or log.strip().splitlines()[-1:] or ["no output"])[0][:400]


def _by_package(graph: Path, plan: Path, shapes: Sequence[Profile], workspace_mb: int, level: int) -> None:
    import tensorrt as trt

    builder = trt.Builder(trt.Logger(trt.Logger.ERROR))
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, builder.logger)
    if not parser.parse_from_file(str(graph)):
        raise BuildError(f"TensorRT can't read the graph: {parser.get_error(0).desc()}")
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, workspace_mb * 2**20)
    config.builder_optimization_level = level
    profile = builder.create_optimization_profile()
    for one in shapes:
        profile.set_shape(one.name, one.least, one.best, one.most)
    config.add_optimization_profile(profile)
    serialized = builder.build_serialized_network(network, config)
    if serialized is None:
        raise BuildError("TensorRT built no plan; its log above says why")
    plan.write_bytes(serialized)
