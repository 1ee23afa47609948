"""Leaves a running server as it was found, whatever happens in between: one way for ladder, tuning and tiers."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import gevent
from tritonclient.grpc.model_config_pb2 import ModelConfig

from command_line.errors import ModelError, ServerError

from .control import Control
from .deadlines import LOAD_S

Say = Callable[[str], None]


@dataclass(frozen=True)
class ServedModels:
    """The models that a server served at one moment, each with its configuration, ensembles last."""

    configs: tuple[ModelConfig, ...]

    @classmethod
    def of(cls, control: Control) -> "ServedModels":
        """Those that are ready now."""
        ready = [control.config(name) for name in control.models() if control.is_ready(name)]
        return cls(tuple(sorted(ready, key=lambda config: config.HasField("ensemble_scheduling"))))

    def config(self, model: str) -> ModelConfig | None:
        """The configuration with which a model was served; None where it was not."""
        return next((config for config in self.configs if config.name == model), None)

    def ensembles_of(self, model: str) -> tuple[ModelConfig, ...]:
        """The ensembles that the model is a part of."""
        return tuple(c for c in self.configs if any(s.model_name == model for s in c.ensemble_scheduling.step))


@contextmanager
def restored_server(control: Control, say: Say) -> Iterator[ServedModels]:
    """End with the server serving what it served before, with the same configurations, and nothing else.

    An interruption, also a second one, waits until all is restored. ServerError when that fails.
    """
    found = ServedModels.of(control)
    try:
        yield found
    except BaseException:
        # What ended the work says more than what its end then met.
        failure = _restored(control, found, say)
        if failure:
            say(failure)
        raise
    failure = _restored(control, found, say)
    if failure:
        raise ServerError(failure)


def unload_ensembles_of(control: Control, model: str, found: ServedModels, say: Say) -> None:
    """Unload the ensembles with a model that is to be reconfigured.

    Triton drops one that takes larger batches than its parts, and is not ready without it.
    """
    for ensemble in found.ensembles_of(model):
        say(f"{ensemble.name}: an ensemble with {model}, not served meanwhile")
        control.unload(ensemble.name)


def _restored(control: Control, found: ServedModels, say: Say) -> str:
    """Why not all could be restored; empty when it was. Takes its time even when it is interrupted."""
    restoring = gevent.spawn(_restore, control, found, say)
    while not restoring.ready():
        try:
            restoring.join()
        except KeyboardInterrupt:
            say("the server is left as it was found first")
    return str(restoring.get())


def _restore(control: Control, found: ServedModels, say: Say) -> str:
    failures = []
    try:
        control.check_reachable()
        # What was not served goes first: it may hold the memory that the others need.
        for config in reversed(ServedModels.of(control).configs):
            if found.config(config.name) is None:
                control.unload(config.name)
    except (ServerError, ModelError) as error:
        return f"the server could not be left as it was found: {error}"
    for config in found.configs:
        try:
            if not control.is_ready(config.name) or control.config(config.name) != config:
                control.load(config.name, LOAD_S, config)
                say(f"{config.name}: as it was found")
        except (ServerError, ModelError) as error:
            failures.append(f"the original configuration of {config.name!r} could not be restored: {error}")
    return "; ".join(failures)
