"""Leaves a running server as it was found, whatever happens in between."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
from tritonclient.grpc.model_config_pb2 import ModelConfig

from ..control import Control
from ..errors import ModelError, ServerError
from ..ladder import LOAD_S


@contextmanager
def left_as_found(control: Control, model: str, say: Callable[[str], None]) -> Iterator[None]:
    """Load the model if it is not served, and end with it served as before, or not served if it was not.

    Ensembles that it is a part of are unloaded meanwhile: Triton drops one that takes larger batches than its parts,
    and is not ready without it. An interruption waits until all is restored. ServerError when that fails, or when the
    server loads no models by request.
    """
    control.check_explicit()
    served = control.config(model) if control.is_ready(model) else None
    ensembles = _ensembles_of(control, model)
    try:
        for ensemble in ensembles:
            say(f"{ensemble.name}: an ensemble with {model}, not served meanwhile")
            control.unload(ensemble.name)
        if served is None:
            control.load(model, LOAD_S)
        yield
    except BaseException:
        # What ended the work says more than what its end then met.
        say(_restored(control, model, served, ensembles, say) or f"{model}: as it was found")
        raise
    failure = _restored(control, model, served, ensembles, say)
    if failure:
        raise ServerError(failure)
    say(f"{model}: as it was found")


def _ensembles_of(control: Control, model: str) -> list[ModelConfig]:
    ready = [control.config(name) for name in control.models() if control.is_ready(name)]
    return [config for config in ready if any(s.model_name == model for s in config.ensemble_scheduling.step)]


def _restored(
    control: Control, model: str, served: ModelConfig | None, ensembles: list[ModelConfig], say: Callable[[str], None]
) -> str:
    """Why not all could be restored; empty when it was. Takes its time even when it is interrupted."""
    restoring = gevent.spawn(_restore, control, model, served, ensembles)
    while not restoring.ready():
        try:
            restoring.join()
        except KeyboardInterrupt:
            say("the original configuration is restored first")
    return str(restoring.get())


def _restore(control: Control, model: str, served: ModelConfig | None, ensembles: list[ModelConfig]) -> str:
    try:
        control.check_reachable()
        if served is None:
            control.unload(model)
        elif not control.is_ready(model) or control.config(model) != served:
            control.load(model, LOAD_S, served)
        for ensemble in ensembles:
            control.load(ensemble.name, LOAD_S, ensemble)
    except (ServerError, ModelError) as error:
        return f"the original configuration of {model!r} could not be restored: {error}"
    return ""
