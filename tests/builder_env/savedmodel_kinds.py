"""SavedModels as people export them, one function a kind: each saves to a folder."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.python.framework.config import disable_op_determinism

SIZE = 16
IMAGES = tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32, name="image")
WEIGHTS = np.random.default_rng(0).normal(size=(3, 5)).astype(np.float32)


def save(folder: Path, function: Callable[..., Any], *specs: Any, name: str = "serving_default", **kept: Any) -> Path:
    """Save a function with its signature; `kept` are variables and tables that it uses."""
    module = tf.Module()
    for key, value in kept.items():
        setattr(module, key, value)
    module.serve = tf.function(function, input_signature=list(specs))
    tf.saved_model.save(module, str(folder), signatures={name: module.serve.get_concrete_function()})
    return folder


def probabilities(image: Any) -> Any:
    """Five classes by the mean colour, scaled so that they differ between pictures."""
    return tf.nn.softmax(tf.reduce_mean(tf.cast(image, tf.float32), (1, 2)) @ WEIGHTS / 10)


def classifier(folder: Path, spec: Any = IMAGES) -> Path:
    """Probabilities alone."""
    return save(folder, lambda image: {"p": probabilities(image)}, spec)


def fixed_batch(folder: Path, batch: int) -> Path:
    """The first dimension is fixed."""
    spec = tf.TensorSpec((batch, SIZE, SIZE, 3), tf.float32, name="image")
    return save(folder, lambda image: {"p": probabilities(image)}, spec)


def clip(folder: Path) -> Path:
    """Frames of one clip, one answer: it looks like a batch, and its answer has an open first dimension too."""
    spec = tf.TensorSpec((None, SIZE, SIZE, 3), tf.float32, name="frames")

    def serve(frames: Any) -> dict[str, Any]:
        mean = tf.reduce_mean(probabilities(frames), 0, keepdims=True)
        return {"p": tf.repeat(mean, tf.minimum(tf.shape(frames)[0], 1), axis=0)}

    return save(folder, serve, spec)


def depends_on_others(folder: Path) -> Path:
    """Each row is normalised by its batch, as batch normalisation in training mode does."""
    return save(folder, lambda image: {"p": probabilities(image - tf.reduce_mean(image))}, IMAGES)


def branches_on_the_batch(folder: Path) -> Path:
    """A branch on the mean of the batch: examples that are alike all take the same one."""

    def answer(image: tf.Tensor) -> dict[str, tf.Tensor]:
        bright = tf.reduce_mean(image) > 60.0
        return {"p": tf.cond(bright, lambda: probabilities(image), lambda: probabilities(image)[:, ::-1])}

    return save(folder, answer, IMAGES)


def shares_of_the_largest(folder: Path) -> Path:
    """Whole numbers as shares of the batch's largest: no two examples of 0 and 1 show it."""
    spec = tf.TensorSpec((None, 4), tf.int32, name="counts")
    return save(folder, lambda counts: {"p": counts / tf.maximum(tf.reduce_max(counts), 1)}, spec)


def numbered_texts(folder: Path) -> Path:
    """Each text gets the number of its first place in the batch, which rows before it decide."""
    spec = tf.TensorSpec((None,), tf.string, name="text")
    return save(folder, lambda text: {"p": tf.unique(text)[1]}, spec)


def one_row_inside(folder: Path) -> Path:
    """The signature leaves the batch open, and the graph takes one row alone."""
    return save(folder, lambda image: {"p": probabilities(tf.reshape(image, (1, SIZE, SIZE, 3)))}, IMAGES)


def counts_calls(folder: Path) -> Path:
    """It changes a variable at each call, as moving averages do: no weight of it can become a constant."""
    calls = tf.Variable(0)

    def serve(image: Any) -> dict[str, Any]:
        calls.assign_add(1)
        return {"p": probabilities(image)}

    return save(folder, serve, IMAGES, calls=calls)


def compiled_by_xla(folder: Path) -> Path:
    """A part of it is to be compiled when it runs."""
    part = tf.function(probabilities, jit_compile=True)
    return save(folder, lambda image: {"p": part(image) * 2}, IMAGES)


def keyword_names(folder: Path) -> Path:
    """Names that Python has for itself."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, (None, SIZE, SIZE, 3))
        v1.saved_model.simple_save(session, str(folder), {"class": image}, {"def": probabilities(image)})
    return folder


def floored(folder: Path) -> Path:
    """Divisions of integers, which round down."""
    spec = tf.TensorSpec((None, 6), tf.int32, name="a")
    return save(folder, lambda a: {"rest": a % 3, "quotient": a // 4, "negative": a % -3, "other": a // -4}, spec)


def key_passed_on(folder: Path) -> Path:
    """A key that comes back under its own name, as estimators forward features."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        image, key = v1.placeholder(tf.float32, (None, SIZE, SIZE, 3)), v1.placeholder(tf.int64, (None,))
        outputs = {"p": probabilities(image), "key": tf.identity(key)}
        v1.saved_model.simple_save(session, str(folder), {"image": image, "key": key}, outputs)
    return folder


def random_answer(folder: Path) -> Path:
    """Dropout that stays on."""
    return save(folder, lambda image: {"p": probabilities(tf.nn.dropout(image, 0.5))}, IMAGES)


def dropout_of_tensorflow_1(folder: Path) -> Path:
    """A part of what it keeps, and whether it drops at all, have defaults that drop nothing."""
    disable_op_determinism()  # a build in the same process has asked for seeds
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, (None, SIZE, SIZE, 3))
        kept, training = v1.placeholder_with_default(1.0, ()), v1.placeholder_with_default(False, ())
        some = image / kept * tf.floor(kept + tf.random.uniform(tf.shape(image)))
        some = v1.cond(training, lambda: v1.nn.dropout(some, rate=0.5), lambda: some)
        v1.saved_model.simple_save(session, str(folder), {"image": image}, {"p": probabilities(some)})
    return folder


def official_resnet(folder: Path) -> Path:
    """Classes int64 [batch] beside probabilities, as TensorFlow's official ResNet."""
    return save(
        folder,
        lambda image: {"classes": tf.argmax(probabilities(image), -1), "probabilities": probabilities(image)},
        IMAGES,
    )


def texts_out(folder: Path) -> Path:
    """A label as text, and a score as a number alone."""
    names = tf.constant(["cat", "dog", "owl", "fox", "elk"])
    return save(
        folder,
        lambda image: {
            "label": tf.gather(names, tf.argmax(probabilities(image), -1)),
            "score": tf.reduce_max(probabilities(image), -1),
        },
        IMAGES,
    )


def table(folder: Path) -> Path:
    """A look-up in a table, which is no variable."""
    keys, values = tf.range(5, dtype=tf.int64), tf.range(10, 15, dtype=tf.int64)
    known = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1)
    return save(
        folder, lambda image: {"id": known.lookup(tf.argmax(probabilities(image), -1))[:, None]}, IMAGES, known=known
    )


def encoded_images(folder: Path) -> Path:
    """JPEG bytes as a text input, decoded and resized in the graph."""

    def one(encoded: Any) -> Any:
        return tf.image.resize(tf.cast(tf.io.decode_jpeg(encoded, 3), tf.float32), (SIZE, SIZE))

    def serve(image_bytes: Any) -> dict[str, Any]:
        images = tf.map_fn(one, image_bytes, fn_output_signature=tf.TensorSpec((SIZE, SIZE, 3)))
        return {"p": probabilities(images)}

    return save(folder, serve, tf.TensorSpec((None,), tf.string, name="image_bytes"))


def two_numbers(folder: Path) -> Path:
    """Two inputs of a number each, of different types."""
    users = tf.Variable(np.random.default_rng(1).normal(size=(50, 8)).astype(np.float32))
    specs = tf.TensorSpec((None,), tf.int64, name="user"), tf.TensorSpec((None,), tf.float32, name="Weight")
    return save(folder, lambda user, w: {"score": tf.reduce_sum(tf.gather(users, user), -1) * w}, *specs, users=users)


def particular(folder: Path) -> Path:
    """A text and a number of which neither may be empty: zeros, as a server makes them up, fail."""
    specs = tf.TensorSpec((None,), tf.string, name="text"), tf.TensorSpec((None,), tf.float32, name="weight")

    def serve(text: Any, weight: Any) -> dict[str, Any]:
        length = tf.cast(tf.strings.length(text), tf.float32)
        with tf.control_dependencies(
            [tf.debugging.assert_positive(length), tf.debugging.assert_positive(tf.abs(weight))]
        ):
            return {"score": tf.stack([length * weight, weight], -1)}

    return save(folder, serve, *specs)


def masked(folder: Path) -> Path:
    """Tokens of any number, and a mask that says which of them count: padding changes no answer."""
    table = tf.Variable(np.random.default_rng(6).normal(size=(50, 8)).astype(np.float32))
    names = "input_ids", "attention_mask"
    specs = [tf.TensorSpec((None, None), tf.int32, name=name) for name in names]

    def serve(input_ids: Any, attention_mask: Any) -> dict[str, Any]:
        mask = tf.cast(attention_mask, tf.float32)[:, :, None]
        total = tf.reduce_sum(tf.gather(table, input_ids) * mask, 1)
        return {"pooled": tf.math.divide_no_nan(total, tf.reduce_sum(mask, 1))}

    return save(folder, serve, *specs, table=table)


def scalars(folder: Path) -> Path:
    """A number that belongs to no example, taken and given beside a batch."""
    specs = tf.TensorSpec((None, 4), tf.float32, name="x"), tf.TensorSpec((), tf.float32, name="scale")
    return save(folder, lambda x, scale: {"y": x * scale, "temperature": scale + 1.5}, *specs)


def recurrent(folder: Path) -> Path:
    """An LSTM over sequences of any length."""
    import keras

    inputs = keras.Input((None, 4), name="sequence")
    keras.Model(inputs, keras.layers.Dense(3, name="p")(keras.layers.LSTM(8)(inputs))).export(folder, verbose=False)
    return folder


def branches(folder: Path) -> Path:
    """tf.cond on the input, a bicubic resize and map_fn."""

    def serve(image: Any) -> dict[str, Any]:
        small = tf.image.resize(image, (8, 8), "bicubic")
        standard = tf.map_fn(tf.image.per_image_standardization, small)
        either = tf.cond(tf.shape(image)[1] > 8, lambda: standard, lambda: -standard)
        return {"p": tf.nn.softmax(tf.reduce_max(either, (1, 2)) @ WEIGHTS)}

    return save(folder, serve, IMAGES)


def exact_gelu(folder: Path) -> Path:
    """GELU by the error function, which TensorFlow writes as Erfc."""
    return save(folder, lambda image: {"p": tf.nn.gelu(tf.reduce_mean(image / 50 - 2, (1, 2)) @ WEIGHTS)}, IMAGES)


def odd_names(folder: Path) -> Path:
    """A signature of TensorFlow 1, whose keys are no names of Python."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        image = v1.placeholder(tf.float32, (None, SIZE, SIZE, 3), "x")
        answer = probabilities(image)
        v1.saved_model.simple_save(session, str(folder), {"Images/x:0": image}, {"image-scores": answer})
    return folder


def scaled_classifier(folder: Path) -> Path:
    """Trained on pixels / 255, with the scaling left to the client: beyond 1 everything saturates."""
    return save(folder, lambda image: {"p": tf.nn.softmax(tf.reduce_mean(image, (1, 2)) @ WEIGHTS * 3)}, IMAGES)


def many_types(folder: Path, dtype: Any) -> Path:
    """A vector of a type in, and the same type out."""
    spec = tf.TensorSpec((None, 4), dtype, name="x")
    changed = tf.logical_not if dtype == tf.bool else lambda x: x + tf.cast(1, dtype)
    return save(folder, lambda x: {"y": changed(x)}, spec)


def tabular(folder: Path) -> Path:
    """Numbers of rows in two tables, one of them a list, beside plain numbers: what recommenders take."""
    random = np.random.default_rng(2)
    users, items = (tf.Variable(random.normal(size=(size, 8)).astype(np.float32)) for size in (1000, 500))
    dense = tf.Variable(random.normal(size=(20, 2)).astype(np.float32))
    specs = (
        tf.TensorSpec((None,), tf.int64, name="user"),
        tf.TensorSpec((None, 5), tf.int32, name="items"),
        tf.TensorSpec((None, 4), tf.float32, name="features"),
    )

    def serve(user: Any, listed: Any, features: Any) -> dict[str, Any]:
        joined = tf.concat([tf.gather(users, user), tf.reduce_mean(tf.gather(items, listed), 1), features], -1)
        return {"score": tf.sigmoid(tf.matmul(joined, dense))}

    return save(folder, serve, *specs, users=users, items=items, dense=dense)


def convolved(folder: Path) -> Path:
    """A convolution over a sequence of any length from 3 on, beside a number of its own."""
    kernel = tf.Variable(np.random.default_rng(3).normal(size=(3, 4, 2)).astype(np.float32))
    specs = tf.TensorSpec((None, None, 4), tf.float32, name="sequence"), tf.TensorSpec((None,), tf.float32, name="gain")

    def serve(sequence: Any, gain: Any) -> dict[str, Any]:
        return {"p": tf.reduce_max(tf.nn.conv1d(sequence, kernel, 1, "VALID"), 1) * gain[:, None]}

    return save(folder, serve, *specs, kernel=kernel)


def sparse(folder: Path) -> Path:
    """A signature of TensorFlow 1 with a sparse input, which is three tensors."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        given, bias = v1.sparse_placeholder(tf.float32, [None, 10]), v1.placeholder(tf.float32, [None, 3])
        score = tf.sparse.to_dense(given) @ tf.ones((10, 1)) + tf.reduce_sum(bias, 1, keepdims=True)
        signature = v1.saved_model.predict_signature_def({"words": given, "bias": bias}, {"score": score})
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(session, ["serve"], {"serving_default": signature})
        builder.save()
    return folder


def one_hot(folder: Path) -> Path:
    """Numbers as places, of which -1 is none."""
    spec = tf.TensorSpec((None, 3), tf.int64, name="ids")

    def serve(ids: Any) -> dict[str, Any]:
        rows = tf.map_fn(lambda row: tf.one_hot(row, 4), tf.cast(ids, tf.int32), fn_output_signature=tf.float32)
        return {"y": tf.one_hot(ids, 5, on_value=2.0, off_value=-1.0), "inside": rows}

    return save(folder, serve, spec)


def masked_recurrent(folder: Path) -> Path:
    """Tokens through an embedding that masks padding, and a GRU: a loop in the graph."""
    import keras

    tokens = keras.Input((None,), dtype="int64", name="tokens")
    embedded = keras.layers.Embedding(20, 8, mask_zero=True)(tokens)
    keras.Model(tokens, keras.layers.Dense(3)(keras.layers.GRU(6)(embedded))).export(folder, verbose=False)
    return folder


def drawn_by_little(folder: Path) -> Path:
    """A generator with a state of its own changes each answer by less than another batch size might."""
    spec = tf.TensorSpec((None, 3), tf.float32, name="x")
    generator = tf.random.Generator.from_seed(1)
    return save(folder, lambda x: {"y": x + 10 + 1e-3 * generator.normal(tf.shape(x))}, spec, generator=generator)


def resized_by_area(folder: Path) -> Path:
    """tf2onnx converts it to another resize."""
    spec = tf.TensorSpec((None, 8, 8, 3), tf.float32, name="image")
    return save(folder, lambda image: {"y": tf.image.resize(image, (4, 4), method="area")}, spec)


def patches(folder: Path) -> Path:
    """Patches of images, which tf2onnx fails on in its own Python code."""
    sizes = [1, 3, 3, 1], [1, 2, 2, 1], [1, 1, 1, 1]
    return save(folder, lambda image: {"y": tf.image.extract_patches(image, *sizes, "SAME")}, IMAGES)


def rounded_to_bytes(folder: Path) -> Path:
    """Products with weights that end as bytes: every bit of rounding shows."""
    spec = tf.TensorSpec((None, 8), tf.float32, name="x")
    weights = tf.Variable(np.random.default_rng(7).normal(size=(8, 40)).astype(np.float32))
    return save(
        folder,
        lambda x: {"y": tf.cast(128 + 30 * tf.clip_by_value(x @ weights, -4, 4), tf.uint8)},
        spec,
        weights=weights,
    )
