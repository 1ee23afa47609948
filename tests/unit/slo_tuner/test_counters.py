"""Requests to an alias are explained by the counters of its variant."""

from tritonclient.grpc.model_config_pb2 import ModelConfig

from slo_tuner.server_metrics import counted_as


def test_a_model_counts_its_requests_itself() -> None:
    assert counted_as(ModelConfig(name="onnx_int8")) == "onnx_int8"


def test_an_alias_is_explained_by_its_variant() -> None:
    alias = ModelConfig(name="resnet50")
    alias.ensemble_scheduling.step.add(model_name="onnx_int8")
    assert counted_as(alias) == "onnx_int8"


def test_an_ensemble_of_several_models_is_no_alias() -> None:
    ensemble = ModelConfig(name="pipeline")
    for name in ("decode", "classify"):
        ensemble.ensemble_scheduling.step.add(model_name=name)
    assert counted_as(ensemble) == "pipeline"
