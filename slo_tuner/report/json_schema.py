"""Writes the JSON Schema of results.json, docs/reference/results.schema.json: this module run by `python -m`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from ..fleet.record import FleetResults
from ..results.schema import Results
from ..sweep.record import SweepResults
from ..tiers.record import TierResults
from ..tuning.record import TuningResults

PUBLISHED = Path(__file__).parents[2] / "docs" / "reference" / "results.schema.json"


class LadderResults(Results):
    """results.json of `slo-tuner measure` and `slo-tuner ladder`."""

    kind: Literal["ladder"] = "ladder"


_Any = Annotated[LadderResults | SweepResults | TierResults | TuningResults | FleetResults, Field(discriminator="kind")]


def schema_text() -> str:
    """The schema of what this version writes, as the published file has it."""
    schema = TypeAdapter(_Any).json_schema(mode="serialization")
    about = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "results.json of slo-tuner, schema_version 2",
    }
    return json.dumps(about | schema, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Write the file."""
    PUBLISHED.write_text(schema_text(), encoding="utf-8")
    print(f"written: {PUBLISHED}", file=sys.stderr)


if __name__ == "__main__":
    main()
