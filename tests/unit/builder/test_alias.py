"""The alias: an ensemble that Triton's own protobuf reads, and that takes and gives exactly what its variant does."""

from collections.abc import Callable
from typing import Any

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from model_repo_builder.plan.file import parse_plan
from model_repo_builder.repository import alias, config_pbtxt
from model_repo_builder.signature import Signature, Tensor
from model_repo_builder.sources import specification
from triton_contract.encoded_image import declared


def pair(raw: dict[str, Any]) -> tuple[Any, Any]:
    """The ensemble and the variant that it stands for, as Triton reads them."""
    chosen = parse_plan(raw)
    variant = chosen.variants[1]
    signature = specification.keras_signature(chosen.model).in_form(chosen.form(variant))
    ensemble = text_format.Parse(alias.render(chosen, variant, signature), pb.ModelConfig())
    return ensemble, config_pbtxt.model_config(variant, signature, chosen.runtime)


def test_the_alias_has_the_name_of_the_model_and_runs_the_variant(raw: dict[str, Any]) -> None:
    ensemble, variant = pair(raw)
    assert ensemble.name == "tiny"
    assert [step.model_name for step in ensemble.ensemble_scheduling.step] == [variant.name]


def test_the_alias_looks_like_its_variant_to_a_client(changed: Callable[..., dict[str, Any]]) -> None:
    ensemble, variant = pair(changed("variants", 1, "input_dtype", value="uint8"))
    for field in ("input", "output", "max_batch_size"):
        assert getattr(ensemble, field) == getattr(variant, field)


def test_the_alias_of_a_variant_with_encoded_images_takes_files(changed: Callable[..., dict[str, Any]]) -> None:
    ensemble, variant = pair(changed("variants", 1, "encoded_images", value=True))
    for one in (ensemble, variant):
        assert [(tensor.name, tensor.data_type, *tensor.dims) for tensor in one.input] == [("image", pb.TYPE_STRING, 1)]
    assert declared(ensemble) == declared(variant) != {}


def test_a_model_with_a_variant_of_its_own_name_has_no_alias(changed: Callable[..., dict[str, Any]]) -> None:
    chosen = parse_plan(changed("variants", 0, "name", value="tiny"))
    assert alias.render(chosen, chosen.variants[1], specification.keras_signature(chosen.model)) == ""


def test_a_name_of_an_input_and_an_output_leaves_no_alias(raw: dict[str, Any]) -> None:
    """Triton keeps one tensor of a name in an ensemble: clients would get back what they sent."""
    chosen = parse_plan(raw)
    keyed = Tensor("key", "int64", ())
    signature = Signature((keyed, Tensor("x", "float32", (4,))), (keyed, Tensor("y", "float32", (5,))))
    assert alias.render(chosen, chosen.variants[1], signature) == ""
    assert alias.shared_name(signature) == "key"
    assert alias.shared_name(specification.keras_signature(chosen.model)) == ""
