"""The source of a plan, frozen once into one graph with its preprocessing."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from model_repo_builder.errors import BuilderError, InvalidError, first_line
from model_repo_builder.examples.kinds import ARRAYS, Examples
from model_repo_builder.plan.model import Model
from model_repo_builder.signature import STRING, InputForm, Signature
from model_repo_builder.sources import huggingface as huggingface_source
from model_repo_builder.sources import preprocessing, probe, specification
from model_repo_builder.sources import savedmodel as savedmodel_source

# So many examples of the inputs of a signature.
Sampler = Callable[[Signature, int], Examples]


@dataclass(frozen=True)
class Frozen:
    """A source as one graph: `folder` holds a SavedModel for each form of requests, `signature` has the plan's form.

    `notes` are what a user should know of it. `whole` says that it could not be frozen, as one with tables.
    """

    folder: Path
    signature: Signature
    weights: str
    pretrained: bool
    notes: tuple[str, ...] = ()
    whole: bool = False

    def savedmodel(self, form: InputForm) -> Path:
        """The SavedModel that takes requests of this form."""
        return self.folder / form.name


@dataclass(frozen=True)
class Loaded:
    """A source in memory: `network` maps inputs, as clients send them, to outputs, both by their names.

    `origin` is where its SavedModel lies, if that can be served as it is.
    """

    network: Callable[[dict[str, Any]], dict[str, Any]]
    signature: Signature
    weights: str
    pretrained: bool
    notes: tuple[str, ...] = ()
    origin: Path | None = None


def generated(signature: Signature, count: int) -> Examples:
    """Examples of any signature, where a plan names none."""
    return ARRAYS.load("synthetic:1", "agreement.arrays", count, signature, 0)


def freeze(model: Model, folder: Path, forms: Iterable[InputForm], sampler: Sampler = generated) -> Frozen:
    """Freeze the source and write one SavedModel for each form of requests under `folder`.

    Raises InvalidError for a source that can't be served; `sampler` gives examples to find that out.
    """
    import keras
    import tensorflow as tf

    from model_repo_builder.sources import export

    tf.config.experimental.enable_op_determinism()
    # Not tf.keras: with TF_USE_LEGACY_KERAS that is tf-keras 2.17, whose own generator fails on Python 3.12.
    keras.utils.set_random_seed(0)
    loaded = _LOAD[model.origin](model, sampler)
    signature = loaded.signature.in_form(model.form)
    notes, whole = list(loaded.notes), False
    for form in sorted(set(forms), key=lambda form: form.name):
        wanted = signature.in_form(form)
        try:
            export.export(loaded.network, wanted, folder / form.name)
        except (BuilderError, OSError, MemoryError):
            # A full disk or memory says nothing about the graph.
            raise
        except Exception as error:
            if not whole:
                notes.append(f"served as it is: its weights can't become constants ({first_line(error)})")
            whole = True
            _keep(loaded, wanted, model, folder / form.name)
        # Graphs refer to themselves: what is left of one is several times its weights.
        gc.collect()
    return Frozen(folder, signature, loaded.weights, loaded.pretrained, tuple(notes), whole)


def _keep(loaded: Loaded, wanted: Signature, model: Model, folder: Path) -> None:
    """Save a network that can't be frozen: as it is where requests are those of the source, else around it."""
    import tensorflow as tf

    from model_repo_builder.sources import export

    shutil.rmtree(folder, ignore_errors=True)
    if loaded.origin is not None and wanted.inputs == loaded.signature.inputs:
        export.keep(loaded.origin, savedmodel_source.signature_name(model), folder)
        return
    module = tf.Module()
    module.model = getattr(loaded.network, "model", None)
    specs = [export.spec(tensor, wanted) for tensor in wanted.inputs]
    names = [tensor.name for tensor in wanted.inputs]
    try:
        export.save(lambda *inputs: loaded.network(dict(zip(names, inputs, strict=True))), specs, folder, module)
    except (OSError, MemoryError):
        raise
    except Exception as error:
        allowed = "its own dtypes and no preprocessing, as it can't be saved again"
        raise InvalidError("model.source", f"{model.source}: {first_line(error)}", allowed) from None


def _load_keras(model: Model, _: Sampler) -> Loaded:
    from model_repo_builder.sources import keras as keras_source

    signature = specification.keras_signature(model)
    found = keras_source.load(model, signature)
    network = preprocessing.from_pixels(found.network, signature.image.name, model.preprocessing)
    return Loaded(network, signature, found.weights, found.pretrained)


def _load_savedmodel(model: Model, sampler: Sampler) -> Loaded:
    signature = specification.savedmodel_signature(model)
    found = savedmodel_source.load(model)
    types = {tensor.name: tensor.dtype for tensor in signature.inputs}
    notes = [
        f"output {one.name} is bfloat16 in the source and served as float32, number for number"
        for one in savedmodel_source.signatures(model).by_name[savedmodel_source.signature_name(model)][1]
        if one.dtype == savedmodel_source.BFLOAT16
    ]
    network = _casting(found, types)
    if model.preprocessing != "none":
        network = _preprocessed(network, signature, model)
    settled, reason = probe.settle(_runner(network), signature, sampler, batching=model.batching)
    if reason:
        notes.append(f"no batching: {reason}")
    has_scalars = settled.wired() != settled
    if has_scalars:
        network, settled = _wired(network, settled), settled.wired()
        notes.append("numbers alone are served as arrays of one, as Triton takes no scalar without a batch")
    origin = savedmodel_source.folder(model)
    plain = model.preprocessing == "none" and not any("bfloat16" in note for note in notes) and not has_scalars
    return Loaded(network, settled, "of the SavedModel", True, tuple(notes), origin if plain else None)


def _preprocessed(network: Any, signature: Signature, model: Model) -> Any:
    name = signature.image.name
    whole = preprocessing.from_pixels(lambda images: network({name: images}), name, model.preprocessing)
    whole.model = network.model  # type: ignore[attr-defined]
    return whole


def _casting(network: Any, types: dict[str, str]) -> Any:
    """The network for inputs of any dtype."""
    import tensorflow as tf

    def cast(inputs: dict[str, Any]) -> dict[str, Any]:
        return dict(
            network({name: x if types[name] == STRING else tf.cast(x, types[name]) for name, x in inputs.items()})
        )

    cast.model = network.model  # type: ignore[attr-defined]
    return cast


def _wired(network: Any, signature: Signature) -> Any:
    """The network with arrays of one in place of the scalars of its signature."""
    import tensorflow as tf

    taken = {tensor.name for tensor in signature.inputs if not tensor.shape}
    given = {tensor.name for tensor in signature.outputs if not tensor.shape}

    def wired(inputs: dict[str, Any]) -> dict[str, Any]:
        outputs = network({name: tf.reshape(x, ()) if name in taken else x for name, x in inputs.items()})
        return {name: tf.reshape(x, (1,)) if name in given else x for name, x in outputs.items()}

    wired.model = network.model  # type: ignore[attr-defined]
    return wired


def _runner(network: Any) -> probe.Run:
    """The network on arrays."""
    import tensorflow as tf
    from tensorflow.python.framework.config import disable_op_determinism

    def run(arrays: dict[str, Any]) -> dict[str, Any]:
        given = {name: tf.constant(array) for name, array in arrays.items()}
        try:
            answer = network(given)
        except tf.errors.InvalidArgumentError as error:
            if "determinism" not in str(error):
                raise
            # It draws numbers without a seed. Whether they reach its answer is for the probe to find out.
            disable_op_determinism()
            answer = network(given)
        return {name: tensor.numpy() for name, tensor in answer.items()}

    return run


def _load_huggingface(model: Model, _: Sampler) -> Loaded:
    found = huggingface_source.load(model)
    return Loaded(found.network, found.signature, found.weights, found.pretrained)


_LOAD = {"keras": _load_keras, "huggingface": _load_huggingface, "savedmodel": _load_savedmodel}
