"""The contract of an engine: what plan validation, config generation and the build need to know of one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ConfigDict

from model_repo_builder.examples.kinds import Examples
from model_repo_builder.signature import Signature

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Outputs = Mapping[str, NDArray[Any]]
    Predict = Callable[[Examples], Outputs]


class Options(BaseModel):
    """Base of an engine's own options: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


@dataclass(frozen=True)
class Job:
    """One variant to build: the frozen graph is in `savedmodel`, already in the form of the variant's requests.

    `base` is the graph that variants share, of the plan's input dtype; what an engine derives from it once may be kept
    beside it.

    `calibration` holds examples of every input; it is None unless the variant needs them.
    `max_batch_size` is the largest batch that the server will form. `progress` takes one line that says what is
    being done.
    """

    savedmodel: Path
    signature: Signature
    base: Path
    base_signature: Signature
    precision: str
    options: Options
    calibration: Examples | None
    max_batch_size: int
    folder: Path
    progress: Callable[[str], None] = field(default=lambda _: None)


@dataclass(frozen=True)
class Served:
    """What of a variant decides the parameters in its config.pbtxt."""

    options: Options
    precision: str
    instances: int


@dataclass(frozen=True)
class Engine:
    """A way to optimise a model.

    `runtimes` maps a runtime to the config.pbtxt field and value that names the backend.
    `session_options` are the options that change only how the artefact is executed.
    `build` writes the artefact into Job.folder and returns notes for the manifest;
    `load` opens the artefact in a version folder for the agreement check.
    `needs_calibration` says whether a precision, with the engine's options, is built from examples of the inputs.
    `loader` is the module of runtime_python that executes the artefact in the python runtime.
    `executes_here` says whether agreement is taken by that loader: where `load` opens only what it was made of.
    `extra_files` are files that belong to the artefact and lie beside it.
    `native_parameters` are those that only the native backend reads, the same for every variant.
    `stalls_on` are the devices on which the first batch of each size takes long.
    `build_facts` gives what else decides the artefact, from the options and the largest batch: the CPU or GPU at hand.
    `unavailable` says why it can't build here for the compute capability that the plan wants (None: any), and None
    when it can: asked before any work.
    `largest_batch` bounds `max_batch_size` in a runtime whose backend can't form batches of every size.
    `known_sizes` gives the signature with sizes that the artefact in a version folder knows and its source leaves open.
    `warnings` gives what a precision, with the engine's options, means on the CPU at hand where that is not what it
    says.
    """

    name: str
    precisions: tuple[str, ...]
    devices: tuple[str, ...]
    runtimes: Mapping[str, tuple[str, str]]
    artefact: str
    packages: tuple[str, ...]
    options: type[Options]
    session_options: frozenset[str]
    parameters: Callable[[Served], dict[str, str]]
    build: Callable[[Job], dict[str, str]]
    load: Callable[[Path, Signature], Predict]
    loader: str
    extra_files: tuple[str, ...] = ()
    native_parameters: Mapping[str, str] = field(default_factory=dict)
    stalls_on: frozenset[str] = frozenset()
    needs_calibration: Callable[[str, Any], bool] = field(default=lambda precision, _: precision == "int8")
    build_facts: Callable[[Any, int], dict[str, str]] = field(default=lambda _, __: {})
    unavailable: Callable[[str | None], str | None] = field(default=lambda _: None)
    executes_here: Callable[[], bool] = field(default=lambda: False)
    largest_batch: Mapping[str, int] = field(default_factory=dict)
    known_sizes: Callable[[Path, Signature], Signature] = field(default=lambda _, signature: signature)
    warnings: Callable[[str, Any], tuple[str, ...]] = field(default=lambda _, __: ())
