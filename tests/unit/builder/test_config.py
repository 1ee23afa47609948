"""config.pbtxt: golden files that Triton's own protobuf reads back, and the promise of each plan field."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from model_repo_builder.plan.file import load_plan, parse_plan
from model_repo_builder.repository import config_pbtxt
from model_repo_builder.signature import Signature, Tensor
from model_repo_builder.sources import specification
from triton_contract.encoded_image import EncodedImage, declared

PLANS = Path(__file__).parents[3] / "plans"
GOLDEN = Path(__file__).parent / "golden"
CASES = [
    (path, runtime, variant.name)
    for path, runtimes in (
        (PLANS / "resnet50-t4.yaml", ["ngc"]),
        (PLANS / "resnet50-cpu.yaml", ["python", "ngc"]),
        (PLANS / "bert-base-t4.yaml", ["ngc"]),
    )
    for runtime in runtimes
    for variant in load_plan(path, runtime).variants
]


def golden_text(path: Path, runtime: str, name: str) -> str:
    """What the builder writes for one variant of a plan of this repository."""
    chosen = load_plan(path, runtime)
    variant = next(variant for variant in chosen.variants if variant.name == name)
    signature = specification.signature(chosen.model)
    assert signature is not None
    return config_pbtxt.render(variant, signature.in_form(chosen.form(variant)), runtime)


def golden_path(path: Path, runtime: str, name: str) -> Path:
    """The golden file of a variant."""
    return GOLDEN / f"{path.stem}.{runtime}.{name}.pbtxt"


@pytest.mark.parametrize(("path", "runtime", "name"), CASES, ids=[f"{c[0].stem}-{c[1]}-{c[2]}" for c in CASES])
def test_the_file_is_the_golden_one(path: Path, runtime: str, name: str) -> None:
    assert golden_text(path, runtime, name) == golden_path(path, runtime, name).read_text()


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*.pbtxt")), ids=lambda path: path.stem)
def test_triton_reads_the_golden_file(path: Path) -> None:
    message = text_format.Parse(path.read_text(), pb.ModelConfig())
    assert message.name == path.stem.split(".")[2]


def test_no_golden_file_is_left_over() -> None:
    assert {path.name for path in GOLDEN.iterdir()} == {golden_path(*case).name for case in CASES}


@pytest.fixture
def signature(raw: dict[str, Any]) -> Signature:
    return specification.keras_signature(parse_plan(raw).model)


def configured(raw: dict[str, Any], signature: Signature, runtime: str = "python") -> Any:
    return config_pbtxt.model_config(parse_plan(raw).variants[1], signature, runtime)


def test_warm_up_covers_one_image_and_the_largest_preferred_batch(
    changed: Callable[..., dict[str, Any]], signature: Signature
) -> None:
    message = configured(changed("variants", 1, "preferred_batch_sizes", value=[4, 8]), signature)
    assert [sample.batch_size for sample in message.model_warmup] == [1, 8]


def test_warm_up_on_a_gpu_covers_the_powers_of_two_and_the_largest_batch() -> None:
    chosen = load_plan(PLANS / "resnet50-t4.yaml", "python")
    named = next(variant for variant in chosen.variants if variant.name == "tftrt_fp16")
    variant = named.model_copy(update={"max_batch_size": 24, "preferred_batch_sizes": ()})
    message = config_pbtxt.model_config(variant, specification.keras_signature(chosen.model), "python")
    assert [sample.batch_size for sample in message.model_warmup] == [1, 2, 4, 8, 16, 24]


def _original(**changes: object) -> Any:
    chosen = load_plan(PLANS / "resnet50-t4.yaml")
    variant = chosen.variants[0].model_copy(update={"max_batch_size": 5, **changes})
    return config_pbtxt.model_config(variant, specification.keras_signature(chosen.model), "ngc")


def test_plain_tensorflow_on_a_gpu_warms_up_every_batch_size() -> None:
    assert [sample.batch_size for sample in _original().model_warmup] == [1, 2, 3, 4, 5]
    assert [sample.batch_size for sample in _original(warm_up=True).model_warmup] == [1, 2, 4, 5, 64]


@pytest.mark.parametrize("runtime", ["python", "ngc"])
def test_any_variant_can_warm_up_every_batch_size(
    changed: Callable[..., dict[str, Any]], signature: Signature, runtime: str
) -> None:
    message = configured(changed("variants", 1, "warm_up", value="all"), signature, runtime)
    assert [sample.batch_size for sample in message.model_warmup] == list(range(1, 17))


def test_a_model_without_a_batch_warms_up_as_well(raw: dict[str, Any], signature: Signature) -> None:
    message = configured(raw, signature.unbatched())
    assert [(sample.name, sample.batch_size) for sample in message.model_warmup] == [("alone", 1)]


def test_instances_of_tensorflow_s_native_backend_share_their_session() -> None:
    assert _original().parameters["MAX_SESSION_SHARE_COUNT"].string_value == "256"
    chosen = load_plan(PLANS / "resnet50-t4.yaml", "python")
    signature = specification.keras_signature(chosen.model)
    for name, runtime in (("original", "python"), ("tftrt_int8_tuned", "ngc")):
        variant = next(one for one in chosen.variants if one.name == name)
        assert "MAX_SESSION_SHARE_COUNT" not in config_pbtxt.model_config(variant, signature, runtime).parameters


def test_a_number_for_each_example_has_a_dimension_that_is_reshaped_away(raw: dict[str, Any]) -> None:
    number = Signature((Tensor("age", "int32", ()),), (Tensor("score", "float32", ()),))
    for runtime in ("ngc", "python"):
        message = configured(raw, number, runtime)
        for tensor in (*message.input, *message.output):
            assert list(tensor.dims) == [1] and tensor.HasField("reshape") and not tensor.reshape.shape


def test_warm_up_can_be_left_out(changed: Callable[..., dict[str, Any]], signature: Signature) -> None:
    assert not configured(changed("variants", 1, "warm_up", value=False), signature).model_warmup


def test_the_queue_policy_is_written(changed: Callable[..., dict[str, Any]], signature: Signature) -> None:
    queue = {"max_size": 100, "timeout_us": 50000, "on_timeout": "delay"}
    policy = configured(changed("variants", 1, "queue", value=queue), signature).dynamic_batching.default_queue_policy
    assert (policy.max_queue_size, policy.default_timeout_microseconds) == (100, 50000)
    assert policy.timeout_action == pb.ModelQueuePolicy.DELAY


def test_the_priority_is_written(changed: Callable[..., dict[str, Any]], signature: Signature) -> None:
    message = configured(changed("variants", 1, "priority", value="max"), signature)
    assert message.optimization.priority == pb.ModelOptimizationPolicy.PRIORITY_MAX


def test_batch_and_delay_are_written(changed: Callable[..., dict[str, Any]], signature: Signature) -> None:
    message = configured(changed("variants", 1, "max_queue_delay_us", value=2000), signature)
    assert message.max_batch_size == 16
    assert message.dynamic_batching.max_queue_delay_microseconds == 2000


@pytest.mark.parametrize(("runtime", "backend"), [("python", "python"), ("ngc", "onnxruntime")])
def test_runtimes_differ_in_the_backend_alone(
    raw: dict[str, Any], signature: Signature, runtime: str, backend: str
) -> None:
    message, other = configured(raw, signature, runtime), configured(raw, signature, "ngc")
    assert message.backend == backend
    other.backend = backend
    assert message == other


def test_thread_options_become_parameters(changed: Callable[..., dict[str, Any]], signature: Signature) -> None:
    options = {"intra_op_threads": 2, "allow_spinning": False}
    message = configured(changed("variants", 1, "options", value=options), signature)
    parameters = {key: value.string_value for key, value in message.parameters.items()}
    assert parameters == {"intra_op_thread_count": "2", "session.intra_op.allow_spinning": "0"}


def test_threads_and_streams_of_openvino_are_those_of_all_instances(
    changed: Callable[..., dict[str, Any]], signature: Signature
) -> None:
    variant = {"name": "fast", "engine": "openvino", "precision": "bf16", "max_batch_size": 1, "instances": 3}
    for runtime in ("python", "ngc"):
        message = configured(changed("variants", 1, value=variant), signature, runtime)
        parameters = {key: value.string_value for key, value in message.parameters.items()}
        assert parameters == {"NUM_STREAMS": "3", "INFERENCE_NUM_THREADS": "3", "HINT_BF16": "YES"}


def test_a_variant_with_encoded_images_takes_a_file_a_row_and_says_what_becomes_of_it(
    changed: Callable[..., dict[str, Any]], signature: Signature
) -> None:
    message = configured(changed("variants", 1, "encoded_images", value=True), signature)
    (files,) = message.input
    assert (files.name, files.data_type, list(files.dims)) == ("image", pb.TYPE_STRING, [1])
    assert files.HasField("reshape") and not files.reshape.shape
    assert not message.model_warmup
    assert declared(message) == {"image": EncodedImage((32, 32, 3), "float32")}


def test_labels_are_named_on_the_output_only_where_there_are_any(raw: dict[str, Any], signature: Signature) -> None:
    variant = parse_plan(raw).variants[1]
    assert config_pbtxt.model_config(variant, signature, "python", labels=True).output[0].label_filename == "labels.txt"
    assert config_pbtxt.model_config(variant, signature, "python").output[0].label_filename == ""
