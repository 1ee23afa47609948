"""The directory of one variant while it is being made: artefact, config.pbtxt, model.py, labels, alias, manifest."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from example_files import kept
from example_files.wanted import Row
from model_repo_builder.agreement import Result
from model_repo_builder.examples.kinds import Examples, as_sent, rows_of
from model_repo_builder.plan.schema import Plan, Variant
from model_repo_builder.repository import alias, config_pbtxt, fingerprint, labels, model_py, publish, warm_up
from model_repo_builder.repository.manifest import FILE, Kept, Manifest
from model_repo_builder.signature import Signature
from model_repo_builder.sources.freeze import Frozen

VERSION = "1"


@dataclass(frozen=True)
class Built:
    """What came of building one variant: its signature, how far it agrees with the source, notes of the engine."""

    variant: Variant
    signature: Signature
    agreement: Result
    notes: dict[str, str]
    seconds: float
    examples: Kept | None


class Stage:
    """Writes variants into `folder`; `publish` puts all of them into the repository."""

    def __init__(self, plan: Plan, source_sha256: str, repository: Path, folder: Path) -> None:
        self._plan = plan
        self._source_sha256 = source_sha256
        self.folder = folder
        self.repository = repository

    def version_folder(self, variant: Variant) -> Path:
        """The empty directory that the engine fills."""
        folder = self.folder / variant.name / VERSION
        folder.mkdir(parents=True)
        return folder

    def manifest(self, built: Built, frozen: Frozen, artefact: str) -> Manifest:
        """The manifest of a freshly built artefact, whose fingerprint is `artefact`."""
        plan, variant, signature = self._plan, built.variant, built.signature
        rows = _rows(self.folder / variant.name, built.examples, signature)
        return Manifest(
            variant=variant.name,
            model=plan.model.name,
            source=plan.model.source,
            source_sha256=self._source_sha256,
            weights=frozen.weights,
            pretrained=frozen.pretrained,
            engine=variant.engine,
            precision=variant.precision,
            runtime=plan.runtime,
            input_dtype=signature.inputs[0].dtype,
            calibration=fingerprint.calibration(plan) if variant.needs_calibration else None,
            agreement_examples=fingerprint.agreement_source(plan),
            agreement=built.agreement,
            notes=built.notes,
            packages=fingerprint.packages(plan, variant),
            cpu=cpu_name(),
            build_seconds=round(built.seconds, 1),
            signature=signature,
            artefact=artefact,
            config=self._config(variant, signature, rows, frozen.pretrained),
            examples=built.examples,
        )

    def keep(self, variant: Variant, examples: Examples, signature: Signature) -> Kept | None:
        """Keep a bounded sample of the examples beside the artefact: what load generators send in place of noise.

        None beside a variant that takes encoded images: its examples are the pixels that become of them.
        """
        if variant.encoded_images:
            return None
        path = self.folder / variant.name / VERSION / kept.FILE
        return Kept(file=kept.FILE, rows=kept.write(path, rows_of(as_sent(examples, signature))))

    def finish(self, variant: Variant, made: Manifest) -> None:
        """Write everything around the artefact that is already in the version folder."""
        folder = self.folder / variant.name
        has_labels = self._has_labels(made.pretrained)
        if has_labels:
            (folder / config_pbtxt.LABELS_FILE).write_text(self._labels(variant), encoding="utf-8")
        rows = _rows(folder, made.examples, made.signature)
        config = config_pbtxt.model_config(variant, made.signature, self._plan.runtime, labels=has_labels, rows=rows)
        (folder / "config.pbtxt").write_text(config_pbtxt.text(config), encoding="utf-8")
        warm_up.write(folder, config, made.signature, rows)
        if self._plan.runtime == "python":
            (folder / VERSION / "model.py").write_text(self._model_py(variant), encoding="utf-8")
        stable = alias.render(self._plan, variant, made.signature)
        if stable:
            alias.write(folder / VERSION, self._plan.model.name, stable)
        (folder / VERSION / FILE).write_text(made.text(), encoding="utf-8")

    def drop(self, variant: Variant) -> None:
        """Remove what is staged of a variant that turned out to be impossible."""
        shutil.rmtree(self.folder / variant.name, ignore_errors=True)

    def renew(self, variant: Variant, published: Manifest, origin: Path) -> Manifest:
        """The published manifest itself when nothing changed; otherwise stage the same artefact with new files.

        `origin` is the directory that has the artefact: the repository, or the staged variants.
        """
        examples = None if variant.encoded_images else published.examples
        rows = _rows(origin / published.variant, examples, published.signature)
        wanted = self._config(variant, published.signature, rows, published.pretrained)
        if published.config == wanted:
            return published
        version = self.version_folder(variant)
        for name in (variant.resolved_engine.artefact, *variant.resolved_engine.extra_files):
            artefact = origin / published.variant / VERSION / name
            if artefact.is_dir():
                shutil.copytree(artefact, version / name, copy_function=shutil.copy2)
            else:
                publish.link_or_copy(artefact, version / name)
        if examples is not None:
            publish.link_or_copy(origin / published.variant / VERSION / examples.file, version / kept.FILE)
        renewed = published.model_copy(
            update={
                "variant": variant.name,
                "config": wanted,
                "runtime": self._plan.runtime,
                "model": self._plan.model.name,
                "examples": examples,
            }
        )
        self.finish(variant, renewed)
        return renewed

    def publish(self) -> list[str]:
        """Publish every staged variant, each in one step; returns their names."""
        names = sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []
        for name in names:
            publish.publish(self.folder / name, self.repository / name)
        return names

    def _has_labels(self, pretrained: bool) -> bool:
        return pretrained and self._plan.model.labels is not None

    def _labels(self, variant: Variant) -> str:
        present = self.repository / variant.name / config_pbtxt.LABELS_FILE
        if self._plan.model.labels == "imagenet" and present.is_file():
            return present.read_text(encoding="utf-8")
        return labels.content(self._plan.model)

    def _model_py(self, variant: Variant) -> str:
        return model_py.generate(variant.resolved_engine.loader, encoded_images=variant.encoded_images)

    def _config(self, variant: Variant, signature: Signature, rows: Sequence[Row], pretrained: bool) -> str:
        has_labels = self._has_labels(pretrained)
        text = config_pbtxt.render(variant, signature, self._plan.runtime, labels=has_labels, rows=rows)
        text += alias.render(self._plan, variant, signature)
        text += self._model_py(variant) if self._plan.runtime == "python" else ""
        return fingerprint.config(text, self._plan, labels.identity(self._plan.model) if has_labels else "")


def _rows(folder: Path, examples: Kept | None, signature: Signature) -> tuple[Row, ...]:
    """What a variant in this folder keeps for its warm-up."""
    return warm_up.rows(folder / VERSION / examples.file, signature) if examples is not None else ()


def size_of(folder: Path) -> int:
    """Bytes of all files under `folder`."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def cpu_name() -> str:
    """The processor's name as Linux reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    named = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    return named or platform.machine()
