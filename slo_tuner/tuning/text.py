"""What the tuner says to people: names of changes, and what to know before trusting the winner."""

from .path import Step
from .record import TuningResults
from .required_workers import explain

_NAMES = {"batch": "largest batch", "instances": "instances", "delay_us": "queue delay, µs", "preferred": "preferred"}


def change(step: Step) -> str:
    """The one thing that a step changed, and to what."""
    if not step.changed:
        return "as found"
    changes = []
    for name in step.changed.split(", "):
        value = getattr(step.configuration, name)
        text = " and ".join(map(str, value)) or "largest" if isinstance(value, tuple) else str(value)
        changes.append(f"{_NAMES[name]} {text}")
    return ", ".join(changes)


def tuning_notes(results: TuningResults) -> list[str]:
    """What a reader must know before trusting the winner."""
    tuning, notes = results.tuning, []
    if tuning.generator is not None:
        workers = results.run.load_workers
        notes.append(explain(tuning.generator, workers) + ". Rates are lower bounds.")
    refused = sum(trial.status == "refused" for trial in tuning.trials)
    if refused:
        notes.append(
            f"{refused} configuration(s) were refused by the server, and larger ones left out: see the trials."
        )
    disturbed = sum(trial.disturbed for trial in tuning.trials)
    if disturbed:
        notes.append(
            f"{disturbed} of {len(tuning.trials)} trials were disturbed: other programs took much of the machine then."
        )
    if tuning.noise > 0.03:
        notes.append(
            f"Noise: {len(tuning.rates_per_s)} searches of the winner lie {100 * tuning.noise:.1f} % apart. Gains "
            "smaller than that are not certain."
        )
    return notes
