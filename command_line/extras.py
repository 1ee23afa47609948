"""Which extra brings a package that is not installed: one line for every command, before anything is started."""

import importlib.util
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import SloTunerError
from .exit_codes import ExitCode
from .version import DISTRIBUTION

DISTRIBUTIONS = {
    "PIL": "pillow",
    "google": "protobuf",
    "grpc": "grpcio",
    "prometheus_client": "prometheus-client",
    "pynvml": "nvidia-ml-py",
    "tf_keras": "tf-keras",
    "yaml": "pyyaml",
}
"""Where a package is imported by another name than it is installed by."""
# Packages of a command that only some of its work needs, and that so have an extra of their own.
_SPECIAL = {"s3fs": "s3", "gcsfs": "gs", "transformers": "language", "tf_keras": "language", "pyarrow": "parquet"}
_OWN = (
    "command_line",
    "triton_contract",
    "example_files",
    "model_repo_builder",
    "slo_tuner",
    "tfserving_front",
    "image_client",
)

TRITON = ("numpy", "google.protobuf", "grpc", "packaging", "tritonclient")
"""What speaks to Triton, and reads and writes its model configurations."""


class MissingPackageError(SloTunerError):
    """A package that is not installed. Nothing was started."""

    exit_code = ExitCode.USAGE

    def __init__(self, module: str, extra: str) -> None:
        """`module` as it is imported; `extra` is the one that brings it."""
        name = module.partition(".")[0]
        super().__init__(
            f"the package {DISTRIBUTIONS.get(name, name)} is not installed; "
            f"the extra {extra} brings it: {install_line(extra)}"
        )


def install_line(extra: str) -> str:
    """The command that installs an extra."""
    return f"pip install '{DISTRIBUTION}[{extra}]'"


def need(extra: str, *modules: str) -> None:
    """MissingPackageError for the first module that is not installed. No module is imported, so it takes no time."""
    for module in modules:
        if not is_installed(module):
            raise MissingPackageError(module, _SPECIAL.get(module, extra))


def is_installed(module: str) -> bool:
    """Whether a module can be found; of a dotted name the packages that it is in are imported."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


@contextmanager
def naming_extra(extra: str) -> Iterator[None]:
    """An import that fails because a package is not installed, as MissingPackageError; `extra` is the command's own.

    For what `need` has not asked for. A module that is missing from the project itself stays what it is, a defect.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        name = (error.name or "").partition(".")[0]
        if not name or name in _OWN:
            raise
        raise MissingPackageError(name, _SPECIAL.get(name, extra)) from None
