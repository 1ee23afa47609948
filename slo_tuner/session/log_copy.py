"""Files as text between two lines of a log, for a Job whose results can go nowhere else."""

import base64
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

BEGIN = "-----BEGIN SLO-TUNER RESULTS-----"
END = "-----END SLO-TUNER RESULTS-----"
UNPACK = "sed '1,/^-----BEGIN SLO-TUNER/d;/^-----END SLO-TUNER/,$d' | base64 -d | tar -xz"
"""The command that reads a log and leaves the files in the current folder."""


def log_copy(files: Mapping[str, Path]) -> str:
    """The files, by their names, as a compressed archive in base64 between the lines BEGIN and END."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w:gz") as packed:
        for name, path in files.items():
            packed.add(path, name, filter=_of_nobody)
    text = base64.encodebytes(archive.getvalue()).decode().rstrip("\n")
    return f"To unpack them: kubectl logs job/NAME | {UNPACK}\n{BEGIN}\n{text}\n{END}"


def _of_nobody(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """Whoever unpacks them owns them."""
    member.uid = member.gid = 0
    member.uname = member.gname = ""
    return member
