"""What a plan may say: frozen values, validated before any work begins."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, ValidationError, ValidationInfo, field_validator, model_validator

from model_repo_builder.engines import ENGINES
from model_repo_builder.engines.base import Engine, Options, Served
from model_repo_builder.examples import kinds
from model_repo_builder.examples.synthetic import is_synthetic
from model_repo_builder.plan.errors import Disallowed, as_invalid
from model_repo_builder.plan.model import InputType, Length, Model, Name, Scalar, Section
from model_repo_builder.signature import InputForm

Runtime = Literal["ngc", "python"]
Precision = Literal["fp32", "bf16", "fp16", "int8"]
Batch = Annotated[int, Field(ge=1, le=4096)]
WarmUp = bool | Literal["all"]
# Agreement is checked on these where the plan names no examples at all.
SYNTHETIC = "synthetic:1"
# The SavedModel's own requests, as TensorFlow Serving replays them when it loads it.
WARM_UP_REQUESTS = "warm_up_requests"


class Samples(Section):
    """Examples of a model's inputs, in place of the plan's `examples`: a `source` of any kind, or one that is called
    images (a directory, or `synthetic:SEED`), sequences (`synthetic:SEED`), or arrays (a file, or `synthetic:SEED`)."""

    images: str | None = Field(default=None, min_length=1)
    sequences: str | None = Field(default=None, min_length=1)
    arrays: str | None = Field(default=None, min_length=1)
    source: str | None = Field(default=None, min_length=1)
    count: int = Field(default=64, ge=1, le=10000)

    @model_validator(mode="after")
    def _one_source(self) -> Samples:
        given = [name for name in (*kinds.KINDS, "source") if getattr(self, name)]
        if len(given) > 1:
            raise Disallowed(f"one of {', '.join(given)}", given[-1], getattr(self, given[-1]))
        return self

    @property
    def origin(self) -> str | None:
        """Where they come from, where this section says it."""
        return self.images or self.sequences or self.arrays or self.source


class Calibration(Samples):
    """Examples that set INT8 ranges, where they are not those of the plan."""


class Agreement(Samples):
    """Examples on which each variant is compared with the source; None: the plan's or the calibration's, but others.

    `outputs`: how an output is compared, where its shape and dtype are a wrong guide.
    """

    outputs: dict[str, Literal["top1", "difference", "equal", "boxes"]] = Field(default_factory=dict)


class Threshold(Section):
    """What agreement a variant must reach, or its build fails; differences are of the output's own unit.

    `min_top1_random_weights` stands in for `min_top1` where weights are random: such a network has no margins between
    its classes, so rounding flips more of them, and one threshold can't serve both.
    """

    min_top1: float | None = Field(default=None, ge=0, le=1)
    min_top1_random_weights: float | None = Field(default=None, ge=0, le=1)
    max_abs_diff: float | None = Field(default=None, gt=0)
    max_mean_abs_diff: float | None = Field(default=None, gt=0)
    min_same: float | None = Field(default=None, ge=0, le=1)


class Queue(Section):
    """Triton's default queue policy: how many requests wait, for how long, and what happens then."""

    max_size: int = Field(default=0, ge=0)
    timeout_us: int = Field(default=0, ge=0)
    on_timeout: Literal["reject", "delay"] = "reject"

    @property
    def sheds(self) -> bool:
        """Whether it refuses what can't be served soon, by number and by time."""
        return self.max_size > 0 and self.timeout_us > 0 and self.on_timeout == "reject"


class Variant(Section):
    """One way to serve the model; its name is Triton's model name and the directory in the repository."""

    name: Name
    engine: str
    precision: Precision = "fp32"
    device: Literal["cpu", "gpu"] = "cpu"
    input_dtype: InputType | None = None
    encoded_images: bool = False
    sequence_length: Length | None = None
    max_batch_size: Batch = 64
    preferred_batch_sizes: tuple[Batch, ...] = ()
    max_queue_delay_us: int = Field(default=0, ge=0, le=10_000_000)
    instances: int = Field(default=1, ge=1, le=256)
    warm_up: WarmUp | None = None
    priority: Literal["default", "max", "min"] = "default"
    queue: Queue | None = None
    tier: Literal[1, 2] | None = None
    agreement: Threshold = Threshold()
    options: dict[str, Scalar] = Field(default_factory=dict)

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, value: str) -> str:
        if value not in ENGINES:
            raise Disallowed(", ".join(sorted(ENGINES)))
        return value

    @field_validator("warm_up", mode="before")
    @classmethod
    def _known_warm_up(cls, value: object) -> object:
        if value not in (True, False, "all", None):
            raise Disallowed("true, false, all")
        return value

    @model_validator(mode="after")
    def _consistent(self) -> Variant:
        engine = ENGINES[self.engine]
        if self.precision not in engine.precisions:
            raise Disallowed(f"{', '.join(engine.precisions)} for engine {engine.name}", "precision", self.precision)
        if self.device not in engine.devices:
            raise Disallowed(f"{', '.join(engine.devices)} for engine {engine.name}", "device", self.device)
        above = [size for size in self.preferred_batch_sizes if size > self.max_batch_size]
        if above:
            raise Disallowed(f"at most max_batch_size {self.max_batch_size}", "preferred_batch_sizes", above[0])
        if self.tier == 2 and self.queue is not None and not self.queue.sheds:
            allowed = "a max_size and a timeout_us above 0, with on_timeout reject, for tier 2"
            raise Disallowed(allowed, "queue", self.queue.model_dump_json())
        try:
            self.engine_options  # noqa: B018 -- evaluated for its validation
        except ValidationError as error:
            raise as_invalid(error, {"options": engine.options}, prefix=("options",)) from None
        return self

    @property
    def engine_options(self) -> Options:
        """The options with the engine's defaults filled in."""
        return ENGINES[self.engine].options.model_validate(self.options)

    @property
    def resolved_engine(self) -> Engine:
        """The engine itself."""
        return ENGINES[self.engine]

    @property
    def warms_up(self) -> WarmUp:
        """What runs before it is ready; unless the plan says it, `all` on devices where each new batch size stalls."""
        if self.warm_up is None:
            return "all" if self.device in self.resolved_engine.stalls_on else True
        return self.warm_up

    @property
    def parameters(self) -> dict[str, str]:
        """The engine's parameters in config.pbtxt."""
        return self.resolved_engine.parameters(Served(self.engine_options, self.precision, self.instances))

    @property
    def warnings(self) -> tuple[str, ...]:
        """What its precision means on the CPU at hand, where that is not what it says."""
        return self.resolved_engine.warnings(self.precision, self.engine_options)

    @property
    def needs_calibration(self) -> bool:
        """Whether it is built from examples."""
        return self.resolved_engine.needs_calibration(self.precision, self.engine_options)


class Plan(Section):
    """Everything that a build needs to know."""

    model: Model
    examples: str | None = Field(default=None, min_length=1)
    calibration: Calibration = Calibration()
    agreement: Agreement = Agreement()
    runtime: Runtime = "ngc"
    compute_capability: str | None = Field(default=None, pattern=r"^\d{1,2}\.\d$")
    variants: tuple[Variant, ...] = Field(min_length=1)
    _only: Sequence[str] = PrivateAttr(default=())

    @property
    def chosen(self) -> tuple[Variant, ...]:
        """The variants to build: those of `--only`, or all."""
        return tuple(variant for variant in self.variants if not self._only or variant.name in self._only)

    @model_validator(mode="after")
    def _names_and_calibration(self) -> Plan:
        twice = [name for name, count in Counter(variant.name for variant in self.variants).items() if count > 1]
        if twice:
            raise Disallowed("each name once", "variants", f"{twice[0]} twice")
        kind = self.kind
        for section, samples in (("calibration", self.calibration), ("agreement", self.agreement)):
            others = [name for name in kinds.KINDS if name != kind.sample_kind and getattr(samples, name)]
            if others:
                takes = f"which {self.model.name} takes" if kind is self.model.kind else "as the plan's other examples"
                allowed = f"{kind.sample_kind}, {takes}"
                raise Disallowed(allowed, f"{section}.{others[0]}", getattr(samples, others[0]))
        for field, found in self._kinds_found.items():
            if found is not kind:
                raise Disallowed(f"{kind.sample_kind}, as the plan's other examples", field, self._sources[field])
        plan = self.model_copy(update={"variants": tuple(map(self._quantised, self.variants))})
        for variant in plan.variants:
            if variant.needs_calibration:
                self._check_calibration(variant)
        return plan

    def _check_calibration(self, variant: Variant) -> None:
        """Static INT8 keeps the numbers of its calibration: generated ones are good enough for images alone."""
        kind, source = self.kind, self.calibration_source
        field = self.field_of("calibration")
        if kind is not kinds.IMAGES and not self.has_real_calibration:
            dynamic = ", or options.quantisation: dynamic" if hasattr(variant.engine_options, "quantisation") else ""
            allowed = f"a file with real examples{dynamic}, as {variant.name} is {variant.precision}"
            raise Disallowed(allowed, field if source else "examples", source or "missing")
        if source is None:
            raise Disallowed(f"{kind.allowed}, as {variant.name} is {variant.precision}", field, "missing")

    def _quantised(self, variant: Variant) -> Variant:
        """The variant with its way of quantising said: static for images and with real examples, else dynamic."""
        if getattr(variant.engine_options, "quantisation", "") != "auto":
            return variant
        # What a SavedModel takes is not known yet: without examples there is nothing to take ranges from.
        has_ranges = self.model.origin != "savedmodel" or self.calibration_source is not None
        static = self.has_real_calibration or (self.kind is kinds.IMAGES and has_ranges)
        return variant.model_copy(
            update={"options": {**variant.options, "quantisation": "static" if static else "dynamic"}}
        )

    @property
    def _sources(self) -> dict[str, str]:
        """Where examples come from, by the keys that say it."""
        named = {"examples": self.examples}
        for section, samples in (("calibration", self.calibration), ("agreement", self.agreement)):
            named |= {f"{section}.{name}": getattr(samples, name) for name in (*kinds.KINDS, "source")}
        return {field: source for field, source in named.items() if source}

    @property
    def _kinds_found(self) -> dict[str, kinds.Kind]:
        """What lies where the keys say that leave the kind open, as far as it is not generated."""
        left_open = {
            field: source for field, source in self._sources.items() if field.rpartition(".")[2] not in kinds.KINDS
        }
        found = {field: kinds.kind_of_source(source) for field, source in left_open.items()}
        return {field: kind for field, kind in found.items() if kind is not None}

    @property
    def calibration_source(self) -> str | None:
        """Where the examples that set ranges come from."""
        return self.calibration.origin or self.examples

    @property
    def has_real_calibration(self) -> bool:
        """Whether the examples that set ranges are what clients send, and not generated."""
        return self.calibration_source is not None and not is_synthetic(self.calibration_source)

    @property
    def agreement_source(self) -> str:
        """Where the examples of the agreement check come from; generated ones where the plan names none at all."""
        return self.agreement.origin or self.examples or self.calibration.origin or SYNTHETIC

    def field_of(self, section: str) -> str:
        """The key that says where the examples of a section come from."""
        samples = self.calibration if section == "calibration" else self.agreement
        if samples.origin is None and self.examples:
            return "examples"
        named = [name for name in (*kinds.KINDS, "source") if getattr(samples, name)]
        return f"{section}.{named[0] if named else self.kind.sample_kind}"

    @property
    def kind(self) -> kinds.Kind:
        """What the plan names as examples; what the model takes where it names none, or generated ones."""
        named = [name for name in kinds.KINDS for one in (self.calibration, self.agreement) if getattr(one, name)]
        if named and self.model.origin == "savedmodel":
            return kinds.KINDS[named[0]]
        return next(iter(self._kinds_found.values()), self.model.kind)

    @property
    def names_examples(self) -> bool:
        """Whether the plan says what kind of examples the model has."""
        return bool(self._kinds_found) or any(field.rpartition(".")[2] in kinds.KINDS for field in self._sources)

    @model_validator(mode="after")
    def _variants_fit(self, info: ValidationInfo) -> Plan:
        self._only = (info.context or {}).get("only", ())
        model = self.model
        for variant in self.variants:
            field = f"variants.{variant.name}"
            if variant in self.chosen and self.runtime not in variant.resolved_engine.runtimes:
                allowed = f"runtime {', '.join(variant.resolved_engine.runtimes)} for engine {variant.engine}"
                raise Disallowed(allowed, f"{field}.engine", f"{variant.engine} under runtime {self.runtime}")
            largest = variant.resolved_engine.largest_batch.get(self.runtime)
            if variant in self.chosen and largest is not None and variant.max_batch_size > largest:
                allowed = f"at most {largest} for engine {variant.engine} under runtime {self.runtime}"
                raise Disallowed(allowed, f"{field}.max_batch_size", variant.max_batch_size)
            if variant.input_dtype not in (None, *model.dtypes):
                raise Disallowed(", ".join(model.dtypes), f"{field}.input_dtype", variant.input_dtype)
            if variant.encoded_images and model.takes_tokens:
                raise Disallowed(
                    f"false, as {model.name} takes {model.kind.sample_kind}", f"{field}.encoded_images", True
                )
            if variant in self.chosen and variant.encoded_images and self.runtime != "python":
                allowed = "false, or runtime python, whose model.py decodes"
                raise Disallowed(allowed, f"{field}.encoded_images", f"true under runtime {self.runtime}")
            if variant.sequence_length is not None and not model.takes_tokens:
                raise Disallowed(f"nothing, as {model.name} takes images", f"{field}.sequence_length", "set")
        return self

    def form(self, variant: Variant) -> InputForm:
        """The form of the variant's requests."""
        form = self.model.form
        return InputForm(variant.input_dtype or form.dtype, variant.sequence_length or form.length)
