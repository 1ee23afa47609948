"""Triton's counters: whose explain a request, and what is said where they can't be read."""

import pytest
from tritonclient.grpc.model_config_pb2 import ModelConfig

from command_line.errors import ServerError
from slo_tuner.triton.server_metrics import MetricsEndpoint, counted_as


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


def test_metrics_that_nobody_serves_are_named_with_the_reason() -> None:
    with pytest.raises(ServerError) as raised:
        MetricsEndpoint("http://127.0.0.1:9/metrics").check()
    expected = "Failed to establish a new connection: [Errno 111] Connection refused"
    assert str(raised.value) == f"metrics at http://127.0.0.1:9/metrics cannot be read: {expected}"
