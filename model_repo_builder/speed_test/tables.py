"""The tables of a speed test: figures of every variant and batch size, and best guesses side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.table import Table
from rich.text import Text

from model_repo_builder.speed_test.results import Guess, SpeedTest, VariantResult, summarise


def both(test: SpeedTest) -> Iterator[Text | Table]:
    """Figures, then guesses; titles are lines of their own, because a table would wrap them to its width."""
    yield Text(f"\n{test.model}: {test.sample_kind} a second, latency in ms")
    yield speed(test)
    classifiers = [variant for variant in test.variants if variant.guesses]
    for number, image in enumerate(test.images if classifiers else ()):
        yield Text(f"\n{image.name}{_warning(classifiers)}")
        yield guesses(classifiers, number)


def speed(test: SpeedTest) -> Table:
    """A row for each batch size and variant; the ratio is to the first variant at the same batch size."""
    view = Table()
    for column in (
        "batch",
        "variant",
        f"{test.sample_kind}/s",
        "slowest-fastest repeat",
        "ratio",
        "mean",
        "p50",
        "p95",
        "p99",
        "runs",
    ):
        view.add_column(column, justify="left" if column == "variant" else "right")
    sizes = sorted({point.batch for variant in test.variants for point in variant.points})
    for size in sizes:
        baseline: float | None = None
        for variant in test.variants:
            point = next((point for point in variant.points if point.batch == size), None)
            if point is None:
                continue
            figures = summarise(point)
            if variant is test.variants[0]:
                baseline = figures.rate_per_s
            view.add_row(
                str(size),
                variant.name,
                f"{figures.rate_per_s:.1f}",
                f"{figures.slowest:.1f}-{figures.fastest:.1f}",
                f"{figures.rate_per_s / baseline:.2f}" if baseline else "",
                *(f"{value:.2f}" for value in (figures.mean_ms, figures.p50_ms, figures.p95_ms, figures.p99_ms)),
                str(figures.runs),
            )
        view.add_section()
    return view


def guesses(variants: Sequence[VariantResult], number: int) -> Table:
    """What the variants see in image `number`: a column for each, its best guess on top."""
    view = Table(*(variant.name for variant in variants))
    for row in zip(*(variant.guesses[number] for variant in variants), strict=True):
        view.add_row(*(_cell(guess) for guess in row))
    return view


def _warning(variants: Sequence[VariantResult]) -> str:
    return "" if all(variant.pretrained for variant in variants) else " (random weights: the classes mean nothing)"


def _cell(guess: Guess) -> str:
    return f"{guess.score:.3f} {guess.name or f'class {guess.index}'}"
