"""Finds a tritonserver and everything that it needs to run: on PATH, or in the wheel `nvidia-pytriton`."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from command_line.errors import ServerError, UsageError
from command_line.extras import install_line

STUB = "triton_python_backend_stub"
_ASK_PYTHON = """
import json, sys, sysconfig
print(json.dumps({
    "version": "%d.%d" % sys.version_info[:2], "site": sysconfig.get_path("purelib"),
    "libdir": sysconfig.get_config_var("LIBDIR"), "bin": sysconfig.get_path("scripts"),
}))
"""


@dataclass(frozen=True)
class Tritonserver:
    """A tritonserver program, where its libraries and interpreter come from, and its backends if not its own."""

    program: Path
    backends: Path | None = None
    library_path: tuple[Path, ...] = ()
    program_path: Path | None = None
    stub: Path | None = None

    def backend_directory(self, scratch: Path) -> Path | None:
        """The backends, for the wheel with the python backend's stub put where Triton looks for it, inside `scratch`.

        The installed wheel stays as it is: it may belong to another user.
        """
        if self.backends is None or self.stub is None:
            return self.backends
        python = scratch / "backends" / "python"
        python.mkdir(parents=True)
        for file in (self.backends / "python").iterdir():
            # A stub that someone has put there would be written over through its link.
            if file.is_file() and file.name != STUB:
                (python / file.name).symlink_to(file)
        shutil.copy(self.stub, python / STUB)
        (python / STUB).chmod(0o755)
        return python.parent

    def environment(self) -> dict[str, str]:
        """The environment variables to start it with."""
        env = {name: value for name, value in os.environ.items() if name not in ("PYTHONHOME", "PYTHONPATH")}
        if self.program_path is not None:
            # The python backend runs the packages of the python3 that comes first on PATH.
            env["PATH"] = f"{self.program_path}:{env.get('PATH', '')}"
            env.pop("VIRTUAL_ENV", None)
        if self.library_path:
            known = [env["LD_LIBRARY_PATH"]] if env.get("LD_LIBRARY_PATH") else []
            env["LD_LIBRARY_PATH"] = ":".join([*map(str, self.library_path), *known])
        return env


def find_tritonserver(program: str | None = None, server_python: str | None = None) -> Tritonserver:
    """The tritonserver to run: `program`; else the wheel's in the environment of `server_python`; else on PATH; else
    the wheel's beside this package. ServerError says what was looked for when there is none."""
    if program is not None:
        if not os.access(program, os.X_OK):
            raise UsageError("tritonserver", program, "name an executable file")
        return Tritonserver(Path(program))
    if server_python is not None:
        if not os.access(server_python, os.X_OK):
            raise UsageError("server-python", server_python, "name the python3 of an environment with nvidia-pytriton")
        return _in_wheel(server_python)
    on_path = shutil.which("tritonserver")
    if on_path:
        return Tritonserver(Path(on_path))
    return _in_wheel(sys.executable)


def _in_wheel(python: str) -> Tritonserver:
    try:
        asked = subprocess.run([python, "-c", _ASK_PYTHON], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise ServerError(f"{python} does not run: {error}") from None
    facts: dict[str, str] = json.loads(asked.stdout)
    site, version = Path(facts["site"]), facts["version"]
    root = site / "pytriton" / "tritonserver"
    stub = root / "python_backend_stubs" / version / STUB
    if not root.is_dir():
        raise ServerError(
            f"no tritonserver on PATH, and {python} has no package nvidia-pytriton; "
            "give --tritonserver PROGRAM or --server-python PYTHON, which `python3 -m venv server` and then "
            f"`server/bin/{install_line('server')}` make: --server-python server/bin/python"
        )
    if not stub.is_file():
        found = ", ".join(sorted(path.name for path in stub.parent.parent.iterdir()))
        raise ServerError(f"nvidia-pytriton has no stub for Python {version}; it has {found}")
    library = f"libpython{version}.so.1.0"
    libdir = Path(facts["libdir"] or "/nonexistent")
    if not (libdir / library).exists() and library not in _system_libraries():
        raise ServerError(
            f"{library} is missing, which the python backend needs: install the system package libpython{version}, "
            "or use a Python that was built with --enable-shared"
        )
    return Tritonserver(
        program=root / "bin" / "tritonserver",
        backends=root / "backends",
        library_path=(libdir, site / "nvidia_pytriton.libs"),
        program_path=Path(facts["bin"]),
        stub=stub,
    )


def _system_libraries() -> str:
    """The names that the dynamic loader knows; empty where ldconfig can't be asked."""
    ldconfig = shutil.which("ldconfig") or "/sbin/ldconfig"
    try:
        return subprocess.run([ldconfig, "-p"], capture_output=True, text=True, timeout=30, check=False).stdout
    except OSError:
        return ""
