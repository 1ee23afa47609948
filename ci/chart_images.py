"""Names the product's images by digest in a copy of a chart, as a release does: values, presets and annotations.

An image is given as NAME=REGISTRY/PATH/REPOSITORY@sha256:DIGEST, where NAME is what values.yaml calls its repository.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import chart_docs
import yaml

_GIVEN = re.compile(
    r"(?P<name>[a-z0-9-]+)=(?P<registry>[^@\s]+)/(?P<repository>[^/@:\s]+)@(?P<digest>sha256:[0-9a-f]{64})"
)


@dataclass(frozen=True)
class Pinned:
    """An image of a registry, by the digest of its content."""

    registry: str
    repository: str
    digest: str

    @property
    def reference(self) -> str:
        """The full name, by which a kubelet pulls it."""
        return f"{self.registry}/{self.repository}@{self.digest}"


def parse(texts: list[str]) -> dict[str, Pinned]:
    """Images by their names. ValueError names a text that is none."""
    found = {}
    for text in texts:
        match = _GIVEN.fullmatch(text)
        if match is None:
            raise ValueError(f"--image is {text}: NAME=REGISTRY/PATH/REPOSITORY@sha256:DIGEST is allowed")
        found[match["name"]] = Pinned(match["registry"], match["repository"], match["digest"])
    return found


def pin(chart: Path, images: Mapping[str, Pinned]) -> set[str]:
    """Writes the images into the chart's values.yaml, presets and Chart.yaml; the names of those that it has."""
    there: set[str] = set()
    for path in (chart / "values.yaml", *sorted(chart.glob("files/presets/*.yaml"))):
        text, found = _pinned(path.read_text(encoding="utf-8"), images)
        path.write_text(text, encoding="utf-8")
        there |= found
    # Presets would take other images for given ones, and leave them.
    if (defaults := chart / "files" / "defaults.json").exists():
        defaults.write_text(chart_docs.defaults(chart), encoding="utf-8")
    about = (chart / "Chart.yaml").read_text(encoding="utf-8")
    for name, image in images.items():
        about = re.sub(rf"(?m)^( +image: ){re.escape(name)}:\S+$", rf"\g<1>{image.reference}", about)
    (chart / "Chart.yaml").write_text(about, encoding="utf-8")
    return there


def _pinned(text: str, images: Mapping[str, Pinned]) -> tuple[str, set[str]]:
    """The text with each image's registry, repository and digest replaced, and nothing else."""
    edits: list[tuple[int, int, str]] = []
    found = set()
    for node in _maps(yaml.compose(text, Loader=yaml.SafeLoader)):
        parts = {key.value: value for key, value in node.value}
        if "repository" not in parts or "registry" not in parts or parts["repository"].value not in images:
            continue
        image = images[parts["repository"].value]
        found.add(parts["repository"].value)
        for part in ("registry", "repository", "digest"):
            if part in parts:
                start, end = parts[part].start_mark.index, parts[part].end_mark.index
                edits.append((start, end, getattr(image, part)))
        if "digest" not in parts:
            at = parts["repository"].end_mark.index
            edits.append((at, at, f"\n{' ' * node.start_mark.column}digest: {image.digest}"))
    for start, end, new in sorted(edits, reverse=True):
        text = text[:start] + new + text[end:]
    return text, found


def _maps(node: yaml.Node | None) -> Iterator[yaml.MappingNode]:
    if isinstance(node, yaml.MappingNode):
        yield node
        for _, value in node.value:
            yield from _maps(value)
