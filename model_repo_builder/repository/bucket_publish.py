"""Publishing to object storage, which has no directories to exchange: config.pbtxt, one object, chooses the version.

A change goes into a version directory of its own that no config.pbtxt names yet: manifest, artefact, model.py; labels
and rows of the warm-up, which Triton reads beside config.pbtxt, have the version in their names. The manifest goes
first, and only where there is none: of several uploads at once each gets a number of its own. Then config.pbtxt is
replaced, in one step, by one that asks Triton for exactly this version; only if it is still the one that the upload
began with, so the first upload wins, and the others end with an error. Until then a reader gets the old version, which
stays whole; from then on the new one. Versions before the last are removed afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from google.protobuf import text_format
from pydantic import ValidationError
from tritonclient.grpc import model_config_pb2 as pb

from model_repo_builder.bucket import Bucket, ConflictError
from model_repo_builder.engines import ENGINES
from model_repo_builder.errors import BuildError
from model_repo_builder.repository import alias, publish, warm_up
from model_repo_builder.repository.config_pbtxt import HEADER, LABELS_FILE
from model_repo_builder.repository.manifest import FILE, Manifest
from model_repo_builder.repository.stage import VERSION

CONFIG = "config.pbtxt"
# The alias has a path of its own that the chart knows: in the first version's directory, whatever version is chosen.
ALIAS = f"{VERSION}/{alias.FOLDER}/"
OF_A_VERSION = re.compile(rf"(\d+)/|labels\.(\d+)\.txt$|{warm_up.FOLDER}/(\d+)\.")


@dataclass(frozen=True)
class Published:
    """What a bucket holds of a variant: the version that config.pbtxt chooses, its manifest, and all objects."""

    version: int
    manifest: Manifest | None
    objects: tuple[str, ...]

    @property
    def artefact(self) -> str:
        """The fingerprint of the artefact; empty where the manifest can't be read."""
        return self.manifest.artefact if self.manifest else ""


def published(bucket: Bucket, name: str) -> Published | None:
    """The variant as a reader sees it now; None where there is no config.pbtxt yet."""
    text = bucket.read(f"{name}/{CONFIG}")
    if text is None:
        return None
    try:
        config = text_format.Parse(text.decode(), pb.ModelConfig())
    except (text_format.ParseError, UnicodeDecodeError) as error:
        where = f"{bucket.field}: {bucket.url}/{name}/{CONFIG}"
        raise BuildError(f"{where} (line {error}); allowed: a ModelConfig, or no such object") from None
    version = max(config.version_policy.specific.versions, default=int(VERSION))
    content = bucket.read(f"{name}/{version}/{FILE}")
    try:
        made = Manifest.model_validate_json(content or b"")
    except ValidationError:
        made = None
    return Published(version, made, tuple(bucket.files(name)))


def upload(bucket: Bucket, variant: Path, made: Manifest) -> int | None:
    """Publish a built variant; the new version's number, or None where the bucket has just this one.

    BuildError where another upload of this variant was faster; then nothing of this one is left.
    """
    name = made.variant
    # Taken before the content: should that be newer, `replace` refuses, which is safe.
    tag = bucket.tag(f"{name}/{CONFIG}")
    before = published(bucket, name)
    objects = before.objects if before else tuple(bucket.files(name))
    if before and before.manifest and _fingerprints(before.manifest) == _fingerprints(made):
        # The upload that made it the chosen version may have been cut short of the alias.
        _renew_alias(bucket, variant, name, objects)
        return None
    version = _claim(bucket, made, objects)
    try:
        _fill(bucket, variant, version, before, made)
    except Exception:
        _withdraw(bucket, name, version, before)
        raise
    try:
        bucket.replace(f"{name}/{CONFIG}", _choosing(variant, version).encode(), tag)
    except ConflictError:
        # A client that repeats a request whose answer was lost meets the object that it has written itself.
        if _chosen(bucket, name) != version:
            _withdraw(bucket, name, version, before)
            raise
    _renew_alias(bucket, variant, name, objects)
    _remove(bucket, name, lambda number: number < version and not (before and number == before.version))
    return version


def _claim(bucket: Bucket, made: Manifest, objects: Iterable[str]) -> int:
    """A version that is this upload's alone: the next one whose manifest nobody else has written."""
    version = 1 + max((number for path in objects if (number := _version_of(path)) is not None), default=0)
    while True:
        try:
            bucket.create(f"{made.variant}/{version}/{FILE}", made.text().encode())
        except ConflictError:
            version += 1
        else:
            return version


def _fill(bucket: Bucket, variant: Path, version: int, before: Published | None, made: Manifest) -> None:
    """Everything of the version but its manifest, which is there already."""
    for path in sorted(path for path in (variant / VERSION).rglob("*") if path.is_file()):
        _put(bucket, variant, path, version, before, made)
    labels = variant / LABELS_FILE
    if labels.is_file():
        bucket.upload(labels, f"{made.variant}/{_labels(version)}")
    for path in sorted((variant / warm_up.FOLDER).glob("*")):
        bucket.upload(path, f"{made.variant}/{warm_up.FOLDER}/{_row(version, path.name)}")


def _withdraw(bucket: Bucket, name: str, version: int, before: Published | None) -> None:
    """Remove what a failed upload left, where the bucket can be reached; BuildError if it failed for a faster one."""
    try:
        _remove(bucket, name, lambda number: number == version)
        chosen = _chosen(bucket, name)
    except BuildError:
        return
    if chosen != (before.version if before else None):
        where = f"{bucket.field}: {bucket.url}/{name} (another build published version {chosen} meanwhile)"
        raise BuildError(f"{where}; allowed: one build at a time, build again") from None


def _chosen(bucket: Bucket, name: str) -> int | None:
    now = published(bucket, name)
    return now.version if now else None


def download(bucket: Bucket, name: str, present: Published, repository: Path) -> None:
    """Put a published variant into a local repository, as its version 1, so that a build can go on from it."""
    with publish.staging(repository) as folder:
        for path in present.objects:
            target = _local(path, present.version)
            if target is not None:
                bucket.download(f"{name}/{path}", folder / name / target)
        publish.publish(folder / name, repository / name)


def _local(path: str, version: int) -> str | None:
    if path.startswith(f"{version}/"):
        return f"{VERSION}/{path.removeprefix(f'{version}/')}"
    if path.startswith(ALIAS) or path in (CONFIG, LABELS_FILE):
        return path
    if path.startswith(f"{warm_up.FOLDER}/{version}."):
        return path.replace(f"{version}.", "", 1)
    return LABELS_FILE if path == _labels(version) else None


def _put(bucket: Bucket, variant: Path, path: Path, version: int, before: Published | None, made: Manifest) -> None:
    """One file of the version; what the version before has already is copied inside the bucket."""
    inside = path.relative_to(variant / VERSION)
    if inside.parts[0] in (alias.FOLDER, FILE):
        return
    target = f"{made.variant}/{version}/{inside.as_posix()}"
    old = f"{before.version}/{inside.as_posix()}" if before else ""
    engine = ENGINES[made.engine]
    is_artefact = inside.parts[0] in (engine.artefact, *engine.extra_files)
    if before and is_artefact and before.artefact == made.artefact and old in before.objects:
        bucket.copy(f"{made.variant}/{old}", target)
    else:
        bucket.upload(path, target)


def _renew_alias(bucket: Bucket, variant: Path, name: str, present: Iterable[str]) -> None:
    """Bring the alias up to date, its config.pbtxt last; what is there already is not written again."""
    files = {path.relative_to(variant).as_posix(): path for path in (variant / ALIAS).rglob("*") if path.is_file()}
    for path in sorted(files, key=lambda path: path.endswith(CONFIG)):
        content = files[path].read_bytes()
        if bucket.read(f"{name}/{path}") != content:
            bucket.write(f"{name}/{path}", content)
    for path in present:
        if path.startswith(ALIAS) and path not in files:
            bucket.remove(f"{name}/{path}")


def _choosing(variant: Path, version: int) -> str:
    """The text of config.pbtxt that serves this version alone, with the labels and the warm-up of this version."""
    config = text_format.Parse((variant / CONFIG).read_text(encoding="utf-8"), pb.ModelConfig())
    config.version_policy.Clear()
    config.version_policy.specific.versions.append(version)
    for output in config.output:
        if output.label_filename:
            output.label_filename = _labels(version)
    for sample in config.model_warmup:
        for data in sample.inputs.values():
            if data.input_data_file:
                data.input_data_file = _row(version, data.input_data_file)
    return HEADER + text_format.MessageToString(config)


def _remove(bucket: Bucket, name: str, is_old: Callable[[int], bool]) -> None:
    """Delete what the bucket holds of such versions."""
    for path in bucket.files(name):
        number = _version_of(path)
        if number is not None and is_old(number):
            bucket.remove(f"{name}/{path}")


def _version_of(path: str) -> int | None:
    """The version that an object belongs to; the alias belongs to none."""
    match = OF_A_VERSION.match(path)
    return int(match[1] or match[2] or match[3]) if match and not path.startswith(ALIAS) else None


def _labels(version: int) -> str:
    return f"labels.{version}.txt"


def _row(version: int, name: str) -> str:
    """The name of a file of the warm-up, with or without a version, with this one."""
    return f"{version}.{re.sub(r'^[0-9]+[.]', '', name)}"


def _fingerprints(made: Manifest) -> tuple[str, str]:
    return made.artefact, made.config
