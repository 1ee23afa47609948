"""What every record of results.json is built on."""

from pydantic import BaseModel, ConfigDict


class Record(BaseModel):
    """A frozen record that knows all of its fields: one that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
