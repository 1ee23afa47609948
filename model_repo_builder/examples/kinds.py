"""What a model is shown while it is built: examples of its inputs, for calibration and agreement.

The one place that knows which kinds of input there are; engines take whatever arrays they are given, by input name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from model_repo_builder.examples import images, sequences
from model_repo_builder.signature import Signature

if TYPE_CHECKING:
    from numpy.typing import NDArray

# One array [n, ...] for each input.
Examples = Mapping[str, "NDArray[Any]"]


@dataclass(frozen=True)
class Kind:
    """A kind of examples; `sample_kind` is the plan's key for where they come from, and what they are called in words.

    `check` refuses a source that can't be read (by the field that names it), `identity` is the SHA-256 of its content,
    empty where its name says all. `load` gives so many of them for a signature, after the first `skip`.
    """

    sample_kind: str
    allowed: str
    check: Callable[[str, str], None]
    identity: Callable[[str], str]
    load: Callable[[str, str, int, Signature, int], Examples]


def _load_images(source: str, field: str, count: int, signature: Signature, skip: int) -> Examples:
    height, width, _ = signature.image.shape
    return {signature.image.name: images.load(source, field, count, (height, width), skip)}


IMAGES = Kind("images", "a directory of images or synthetic:SEED", images.check, images.identity, _load_images)
SEQUENCES = Kind("sequences", sequences.ALLOWED, sequences.check, lambda _: "", sequences.load)


def kind_of(signature: Signature) -> Kind:
    """The kind of a model's examples."""
    return SEQUENCES if signature.takes_tokens else IMAGES


def count_of(examples: Examples) -> int:
    """How many there are."""
    return len(next(iter(examples.values())))


def batches(examples: Examples, size: int) -> Iterator[Examples]:
    """All of them in order, `size` at a time; the last batch may be smaller."""
    for start in range(0, count_of(examples), size):
        yield {name: array[start : start + size] for name, array in examples.items()}


def as_sent(examples: Examples, signature: Signature) -> dict[str, NDArray[Any]]:
    """The examples as a client sends them: of the dtype of each input."""
    return {tensor.name: examples[tensor.name].astype(tensor.dtype) for tensor in signature.inputs}
