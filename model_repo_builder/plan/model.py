"""The plan's `model`: where the network comes from, and what a client sends it."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from model_repo_builder.examples.kinds import IMAGES, SEQUENCES, Kind
from model_repo_builder.plan.errors import Disallowed
from model_repo_builder.signature import InputForm

InputType = Literal["float32", "uint8", "int32", "int64"]
IMAGE_TYPES: tuple[InputType, ...] = ("float32", "uint8")
TOKEN_TYPES: tuple[InputType, ...] = ("int32", "int64")
# As in the published measurements of BERT-base and DistilBERT.
SEQUENCE_LENGTH = 384
# Weights that were trained, by the prefix of the source that has them.
TRAINED = {"keras": "imagenet", "huggingface": "pretrained"}
Scalar = bool | int | float | str | None
# Triton takes any directory name; these are the ones that are also a Kubernetes-safe file name and URL segment.
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$"
Name = Annotated[str, Field(pattern=NAME)]
Length = Annotated[int, Field(ge=16, le=4096)]


class Section(BaseModel):
    """Base of every part of a plan: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Input(Section):
    """What a client sends: an image (height and width in pixels, channels last, RGB 0 to 255), or so many tokens.

    dtype None: float32 for images, int32 for tokens.
    """

    name: Name = "image"
    size: tuple[Annotated[int, Field(ge=1, le=8192)], Annotated[int, Field(ge=1, le=8192)]] | None = None
    sequence_length: Length | None = None
    dtype: InputType | None = None


class Model(Section):
    """Where the network comes from and how its served input is prepared."""

    name: Name
    source: str = Field(min_length=1)
    arguments: dict[str, Scalar] = {}
    weights: str | None = None
    fallback_weights: str | None = None
    signature: str = "serving_default"
    input: Input = Input()
    preprocessing: Literal["none", "caffe", "tf", "torch"] = "none"
    labels: str | None = None

    @field_validator("weights", "fallback_weights")
    @classmethod
    def _known_weights(cls, value: str | None) -> str | None:
        if value is not None and value not in TRAINED.values() and not re.fullmatch(r"random:\d{1,9}", value):
            raise Disallowed("imagenet, random:SEED; pretrained, random:SEED for a huggingface: source")
        return value

    @model_validator(mode="after")
    def _weights_fit_source(self) -> Model:
        trained = TRAINED.get(self.origin)
        if trained is None and self.weights is not None:
            raise Disallowed("no weights for a SavedModel, which holds its own", field="weights", value=self.weights)
        if trained is not None and self.weights is None:
            raise Disallowed(f"{trained}, random:SEED", "weights", f"missing for a {self.origin}: source")
        for field, value in (("weights", self.weights), ("fallback_weights", self.fallback_weights)):
            if value in TRAINED.values() and value != trained:
                raise Disallowed(f"{trained}, random:SEED for a {self.origin}: source", field, value)
        return self

    @model_validator(mode="after")
    def _input_fits_source(self) -> Model:
        if self.takes_tokens:
            for field in ("preprocessing", "labels", "signature"):
                if field in self.model_fields_set:
                    raise Disallowed(f"nothing for a {self.origin}: source", field, getattr(self, field))
        wrong = ("name", "size") if self.takes_tokens else ("sequence_length",)
        for field in wrong:
            if field in self.input.model_fields_set:
                raise Disallowed(f"nothing, as the model takes {self.kind.sample_kind}", f"input.{field}", "set")
        if self.form.dtype not in self.dtypes:
            allowed = f"{', '.join(self.dtypes)}, as the model takes {self.kind.sample_kind}"
            raise Disallowed(allowed, "input.dtype", self.form.dtype)
        return self

    @property
    def origin(self) -> str:
        """What the source is: `keras`, `huggingface`, or `savedmodel`."""
        prefix = self.source.partition(":")[0]
        return prefix if prefix in TRAINED else "savedmodel"

    @property
    def takes_tokens(self) -> bool:
        """Whether requests are sequences of tokens; else they are images."""
        return self.origin == "huggingface"

    @property
    def kind(self) -> Kind:
        """What the model is shown while it is built."""
        return SEQUENCES if self.takes_tokens else IMAGES

    @property
    def dtypes(self) -> tuple[InputType, ...]:
        """The dtypes that requests may have; the first unless the plan says another."""
        return TOKEN_TYPES if self.takes_tokens else IMAGE_TYPES

    @property
    def form(self) -> InputForm:
        """The form of requests that a variant has where it says nothing else."""
        length = (self.input.sequence_length or SEQUENCE_LENGTH) if self.takes_tokens else None
        return InputForm(self.input.dtype or self.dtypes[0], length)
