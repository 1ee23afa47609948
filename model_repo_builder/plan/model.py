"""The plan's `model`: where the network comes from, and what a client sends it."""

from __future__ import annotations

import base64
import binascii
import re
from math import isfinite
from typing import Annotated, Any, Literal

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
Finite = Annotated[float, Field(allow_inf_nan=False)]
Range = Annotated[tuple[Finite, Finite], Field(description="least and largest")]


class Section(BaseModel):
    """Base of every part of a plan: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=False)


class Input(Section):
    """What a client sends: an image (height and width in pixels, channels last, RGB 0 to 255), or so many tokens.

    dtype None: float32 for images of a Keras network, int32 for tokens, and what the signature of a SavedModel says.
    `range`: the least and the largest number of an image as clients send it, where the network does not fix it.
    """

    name: Name = "image"
    size: tuple[Annotated[int, Field(ge=1, le=8192)], Annotated[int, Field(ge=1, le=8192)]] | None = None
    sequence_length: Length | None = None
    dtype: InputType | None = None
    range: Range | None = None

    @field_validator("range")
    @classmethod
    def _ordered(cls, value: Range | None) -> Range | None:
        return _ascending(value)


class TensorInput(Section):
    """What the signature of a SavedModel leaves open of an input: `shape` is that of an example, without the batch.

    `range`: the least and the largest number that clients send. `values`: texts to try the model with, or
    `{b64: ...}` for bytes, as TensorFlow Serving has them in JSON.
    """

    shape: tuple[Annotated[int, Field(ge=1, le=10_000_000)], ...] | None = None
    range: Range | None = None
    values: tuple[str, ...] = ()

    @field_validator("range")
    @classmethod
    def _ordered(cls, value: Range | None) -> Range | None:
        return _ascending(value)

    @field_validator("values", mode="before")
    @classmethod
    def _texts(cls, value: Any) -> Any:
        """Each byte of a text as one character (Latin-1), as signatures keep them."""
        return [_bytes(item).decode("latin-1") for item in value] if isinstance(value, list) else value


def _bytes(item: object) -> bytes:
    if isinstance(item, str):
        return item.encode("utf-8", "surrogatepass")
    if isinstance(item, dict) and list(item) == ["b64"]:
        try:
            return base64.b64decode(str(item["b64"]), validate=True)
        except (binascii.Error, ValueError):
            pass
    raise Disallowed("texts, or {b64: BASE64} for bytes", value=item)


def _ascending(value: Range | None) -> Range | None:
    if value is not None and not (value[0] < value[1] and isfinite(value[1] - value[0])):
        raise Disallowed("[LEAST, LARGEST], such as [0, 255], [0, 1] or [-1, 1]")
    return value


class Model(Section):
    """Where the network comes from and how its served input is prepared."""

    name: Name
    source: str = Field(min_length=1)
    arguments: dict[str, Scalar] = {}
    weights: str | None = None
    fallback_weights: str | None = None
    signature: str = "serving_default"
    input: Input = Input()
    inputs: dict[str, TensorInput] = {}
    batching: bool | None = None
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
        for field in ("fallback_weights", "arguments"):
            if trained is None and getattr(self, field):
                allowed = "nothing for a SavedModel, which holds its own"
                raise Disallowed(allowed, field, getattr(self, field))
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
        if self.origin != "savedmodel":
            for field in ("inputs", "batching"):
                if field in self.model_fields_set:
                    raise Disallowed(f"nothing for a {self.origin}: source", field, "set")
        wrong: tuple[str, ...] = ("name", "size", "range") if self.takes_tokens else ("sequence_length",)
        if self.origin == "keras":
            wrong = ("sequence_length", "range")
        for field in wrong:
            if field in self.input.model_fields_set:
                raise Disallowed(f"nothing, as the model takes {self.kind.sample_kind}", f"input.{field}", "set")
        if self.form.dtype and self.form.dtype not in self.dtypes:
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
    def takes_pixels(self) -> bool:
        """Whether requests are pixels of 0 to 255, as the network or the served graph scales them itself."""
        return self.origin == "keras" or self.preprocessing != "none"

    @property
    def form(self) -> InputForm:
        """The form of requests that a variant has where it says nothing else."""
        length = (self.input.sequence_length or SEQUENCE_LENGTH) if self.takes_tokens else None
        own = "" if self.origin == "savedmodel" and self.preprocessing == "none" else self.dtypes[0]
        return InputForm(self.input.dtype or own, length)
