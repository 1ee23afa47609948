"""What the variants see in a picture: the best guesses of a speed test of the builder, beside the measured rates."""

from collections.abc import Iterator
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from command_line.errors import UsageError
from command_line.terminal import plain_table, print_table

from ..results.schema import Results
from ..slo.numerals import rate_text


class _Read(BaseModel):
    """The part of speed-test.json that is read here."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Guess(_Read):
    """A class and the model's output for it."""

    index: int
    name: str = ""
    score: float

    def __str__(self) -> str:
        return f"{self.score:.2f} {self.name or f'class {self.index}'}"


class Picture(_Read):
    """A picture that the variants were shown; `thumbnail` is a JPEG in base64, where it was kept."""

    name: str
    thumbnail: str = ""


class Guesses(_Read):
    """The best guesses of one variant, best first, for each picture."""

    name: str
    guesses: tuple[tuple[Guess, ...], ...] = ()


class Predictions(_Read):
    """Pictures, and what each variant sees in them."""

    images: tuple[Picture, ...]
    variants: tuple[Guesses, ...]

    def columns(self, results: Results) -> Iterator[tuple[str, str, tuple[tuple[Guess, ...], ...]]]:
        """For each measured model that guessed: its name, its rate in words, its guesses by picture."""
        seen = {variant.name: variant.guesses for variant in self.variants if variant.guesses}
        for model in results.models:
            if model.model in seen:
                rate = f"{rate_text(model.rate_per_s)} req/s" if model.rate_per_s else model.unmet
                yield model.model, rate, seen[model.model]


def read_predictions(path: Path) -> Predictions:
    """The guesses in speed-test.json; UsageError for any other file."""
    try:
        return Predictions.model_validate_json(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, ValidationError):
        raise UsageError("speed-test", str(path), "name speed-test.json of `model-repo-builder speed-test`") from None


def print_predictions(predictions: Predictions, results: Results) -> None:
    """Print a table for each picture: a column for each variant, its rate on top, then its best guesses."""
    columns = list(predictions.columns(results))
    for number, picture in enumerate(predictions.images if columns else ()):
        names = [f"{name}\n{rate}" for name, rate, _ in columns]
        table = plain_table(f"What the variants see in {picture.name}", names, left=names)
        for row in zip(*(guesses[number] for _, _, guesses in columns), strict=False):
            table.add_row(*map(str, row))
        print_table(table)
