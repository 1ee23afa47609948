"""manifest.json: where an artefact comes from, how it was made, and how far it agrees with its source."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from model_repo_builder.agreement import Result
from model_repo_builder.signature import Signature

FILE = "manifest.json"


class Kept(BaseModel):
    """The sample of examples beside an artefact: `rows` of what `agreement_examples` names, as a client sends them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    rows: int


class Manifest(BaseModel):
    """Written beside each artefact; `artefact` and `config` are the fingerprints that a rebuild compares."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    variant: str
    model: str
    source: str
    source_sha256: str
    weights: str
    pretrained: bool
    engine: str
    precision: str
    runtime: str
    input_dtype: str
    calibration: str | None
    agreement_examples: str
    agreement: Result
    notes: dict[str, str]
    packages: dict[str, str]
    cpu: str
    build_seconds: float
    signature: Signature
    artefact: str
    config: str
    examples: Kept | None = None

    def text(self) -> str:
        """JSON with sorted keys, ending in a newline."""
        return json.dumps(self.model_dump(mode="json"), indent=2, sort_keys=True) + "\n"


def read(variant_folder: Path) -> Manifest | None:
    """The manifest of a published variant; None where there is none that this version understands."""
    try:
        return Manifest.model_validate_json((variant_folder / "1" / FILE).read_text(encoding="utf-8"))
    except (OSError, ValidationError, ValueError):
        return None
