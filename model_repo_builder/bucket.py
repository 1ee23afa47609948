"""Object storage, `s3://BUCKET/PATH` and `gs://BUCKET/PATH`, through fsspec; every failure is one line that says where.

Credentials and endpoints are those of the clouds' own tools: AWS_PROFILE, AWS_ENDPOINT_URL, a role of the machine,
GOOGLE_APPLICATION_CREDENTIALS, Workload Identity.
"""

from __future__ import annotations

import errno
import importlib.util
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from command_line.extras import install_line
from model_repo_builder.errors import BuilderError, BuildError, InvalidError

ALLOWED = "s3://BUCKET/PATH or gs://BUCKET/PATH"
# The package that fsspec needs for each scheme; the extras of this project that bring it have the schemes' names.
PACKAGES = {"s3": "s3fs", "gs": "gcsfs"}
# An endpoint that can't be reached is an answer, not something to wait minutes for.
OPTIONS: dict[str, dict[str, Any]] = {
    "s3": {"config_kwargs": {"connect_timeout": 5, "read_timeout": 60, "retries": {"max_attempts": 3}}},
    "gs": {},
}
PATHS = r"keys that are relative paths, without empty parts, '.', '..', '\' and control characters"
# What only this machine's disk says; clients report what is wrong with a bucket by other numbers.
DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


class ConflictError(BuildError):
    """An object is not as its writer has seen it: another one was faster."""


def is_url(text: str) -> bool:
    """Whether `text` names a place in object storage, or tries to."""
    return "://" in text


class Bucket:
    """A place in a bucket; paths are relative to it. `field` is the option or key that errors name."""

    def __init__(self, field: str, url: str) -> None:
        """InvalidError for a URL that is none, or whose client is not installed; nothing is asked yet."""
        match = re.fullmatch(r"(\w+)://([^/]+)/*(.*?)/*", url)
        if match is None or match[1] not in PACKAGES:
            raise InvalidError(field, url, f"{ALLOWED}, or a directory")
        scheme, self._bucket, path = match.groups()
        self.field, self.url, self._scheme = field, url, scheme
        self._root = "/".join(part for part in (self._bucket, path) if part)
        if importlib.util.find_spec(PACKAGES[scheme]) is None:
            package = PACKAGES[scheme]
            allowed = f"{install_line(scheme)}, or a directory"
            raise InvalidError(field, f"{url} ({package} is not installed)", allowed)
        with self._errors():
            self._fs = _file_system(scheme)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Whatever the clouds' clients raise, as one BuildError."""
        try:
            yield
        except BuilderError:
            raise
        # Clients raise errors of their own, of HTTP libraries and of the system.
        except Exception as error:
            text = " ".join(str(error).split()) or "no reason given"
            reason = f"{self.url} ({type(error).__name__}: {text[:300]})"
            is_local = isinstance(error, OSError) and error.errno in DISK_FULL
            allowed = "a disk with room for it" if is_local else "a bucket that can be reached and used"
            raise BuildError(f"{self.field}: {reason}; allowed: {allowed}") from error

    def check(self) -> None:
        """BuildError where the bucket is missing, may not be listed, or can't be reached."""
        with self._errors():
            self._fs.ls(self._bucket)

    def files(self, folder: str = "") -> dict[str, str]:
        """Every object below a folder: its path relative to it, and what changes when its content does.

        InvalidError for a key that names no file below a directory, as one with `..` in it: paths are made of keys.
        """
        top = self._path(folder)
        with self._errors():
            found = self._fs.find(top, detail=True)
        present = {}
        for name, facts in found.items():
            key = name.removeprefix(f"{top}/")
            # An empty object of such a name is how consoles show a folder.
            if not key or key.endswith("/") or facts["type"] == "directory":
                continue
            if not _is_path(key):
                where = f"{self.url}{folder and '/' + folder} holds the object {key!r}"
                raise InvalidError(self.field, where, PATHS)
            present[key] = str(facts.get("ETag") or facts.get("md5Hash") or facts.get("etag"))
        return present

    def read(self, path: str) -> bytes | None:
        """The content of an object; None where there is none."""
        with self._errors():
            try:
                content: bytes = self._fs.cat_file(self._path(path))
            except FileNotFoundError:
                return None
        return content

    def tag(self, path: str) -> str | None:
        """What changes whenever the object is written, for `replace`; None where there is none."""
        with self._errors():
            try:
                facts = self._fs.info(self._path(path))
            except FileNotFoundError:
                return None
        return str(facts["ETag" if self._scheme == "s3" else "generation"])

    def create(self, path: str, content: bytes) -> None:
        """Make an object that is not there yet; ConflictError where it is. Of several writers one succeeds."""
        self.replace(path, content, None)

    def replace(self, path: str, content: bytes, tag: str | None) -> None:
        """Write an object in one step if it is still the one of `tag`, None for no object; else ConflictError.

        The store itself compares: S3's If-Match and If-None-Match, Google's ifGenerationMatch.
        """
        with self._errors():
            try:
                if self._scheme == "s3":
                    condition = {"IfNoneMatch": "*"} if tag is None else {"IfMatch": tag}
                    self._fs.pipe_file(self._path(path), content, **condition)
                else:
                    self._insert(path, content, tag or "0")
            except OSError as error:
                if not _is_conflict(error):
                    raise
                raise ConflictError(
                    f"{self.field}: {self.url}/{path} was written by another process; allowed: one at a time"
                ) from error

    def _insert(self, path: str, content: bytes, generation: str) -> None:
        """Google's objects.insert with a precondition: gcsfs itself offers none but `there is no such object`."""
        _, _, key = self._path(path).partition("/")
        self._fs.call(
            "POST",
            f"{self._fs._location}/upload/storage/v1/b/{quote(self._bucket)}/o",
            uploadType="media",
            name=key,
            ifGenerationMatch=generation,
            headers={"Content-Type": "application/octet-stream"},
            data=content,
        )

    def write(self, path: str, content: bytes) -> None:
        """Replace an object in one step: readers get the old one or the new one."""
        with self._errors():
            self._fs.pipe_file(self._path(path), content)

    def upload(self, source: Path, path: str) -> None:
        """Make an object of a file; it is there only when all of it has arrived."""
        with self._errors():
            self._fs.put_file(str(source), self._path(path))

    def copy(self, source: str, path: str) -> None:
        """Copy an object inside the bucket, without its bytes passing here."""
        with self._errors():
            self._fs.cp_file(self._path(source), self._path(path))

    def download(self, path: str, target: Path) -> None:
        """Write an object to a file, making its directory."""
        with self._errors():
            target.parent.mkdir(parents=True, exist_ok=True)
            self._fs.get_file(self._path(path), str(target))

    def remove(self, path: str) -> None:
        """Delete an object, unless another process has."""
        with self._errors(), suppress(FileNotFoundError):
            self._fs.rm_file(self._path(path))

    def _path(self, path: str) -> str:
        return f"{self._root}/{path}".rstrip("/")


def _is_path(key: str) -> bool:
    """Whether the key names a file below any directory that it is joined to."""
    parts = key.split("/")
    return not any(part in ("", ".", "..") for part in parts) and not re.search(r"[\\\x00-\x1f\x7f]", key)


def _is_conflict(error: OSError) -> bool:
    """Whether the store refused the condition. s3fs keeps S3's answer as the cause; gcsfs has an error of its own."""
    answer = getattr(error.__cause__, "response", None) or {}
    code = answer.get("Error", {}).get("Code", "")
    # NoSuchKey: the object that was to be replaced has been deleted.
    return isinstance(error, FileExistsError) or code in (
        "PreconditionFailed",
        "ConditionalRequestConflict",
        "NoSuchKey",
    )


def _file_system(scheme: str) -> Any:
    import fsspec

    # What they log, warn of and retry comes back as an error in the end.
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return fsspec.filesystem(scheme, skip_instance_cache=True, use_listings_cache=False, **OPTIONS[scheme])
