"""Configurations as Triton has them: read, written into a complete one, refused where batching means something else."""

import pytest
from google.protobuf import text_format
from tritonclient.grpc.model_config_pb2 import ModelConfig

from command_line.errors import ModelError
from slo_tuner.capacity.configuration import Configuration
from slo_tuner.tuning.triton_config import check_tunable, read_configuration, with_configuration


def _config(text: str) -> ModelConfig:
    return text_format.Parse(f'name: "m" {text}', ModelConfig())


BATCHED = """
max_batch_size: 64 dynamic_batching { preferred_batch_size: 64 } backend: "python"
instance_group { name: "m_0" count: 1 kind: KIND_CPU } parameters { key: "threads" value { string_value: "2" } }
model_warmup { name: "w" batch_size: 64 }
"""


def test_a_batched_model_is_read() -> None:
    assert read_configuration(_config(BATCHED)) == Configuration(batch=64, instances=1)


def test_without_a_dynamic_batcher_requests_are_never_joined() -> None:
    assert read_configuration(_config("max_batch_size: 64")) == Configuration(batch=1, instances=1)


@pytest.mark.parametrize(
    "configuration",
    [
        Configuration(batch=1, instances=4),
        Configuration(batch=8, instances=2, delay_us=500, preferred=(4,)),
        Configuration(batch=16, instances=1, delay_us=0),
    ],
)
def test_what_is_written_is_read_again(configuration: Configuration) -> None:
    assert read_configuration(with_configuration(_config(BATCHED), configuration)) == configuration


def test_everything_else_stays() -> None:
    before = _config(BATCHED)
    after = with_configuration(before, Configuration(batch=8, instances=2))
    assert (after.backend, after.parameters) == (before.backend, before.parameters)
    assert after.instance_group[0].kind == before.instance_group[0].kind
    assert before == _config(BATCHED)


@pytest.mark.parametrize(
    ("sizes", "largest", "left"),
    [((64,), 8, [8]), ((1, 8, 64), 8, [1, 8]), ((1, 16, 64), 8, [1, 8]), ((1, 4), 8, [1, 4])],
)
def test_warm_up_batches_fit_the_new_largest_one(sizes: tuple[int, ...], largest: int, left: list[int]) -> None:
    before = _config(BATCHED)
    del before.model_warmup[:]
    for size in sizes:
        before.model_warmup.add(name=f"batch_{size}", batch_size=size)
    after = with_configuration(before, Configuration(batch=largest, instances=1))
    assert [sample.batch_size for sample in after.model_warmup] == left


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("max_batch_size: 0", "takes no batches"),
        ('ensemble_scheduling { step { model_name: "a" } step { model_name: "b" } }', r"is an ensemble.*\(a, b\)"),
        ("max_batch_size: 4 sequence_batching { }", "serves sequences"),
    ],
)
def test_a_model_that_cannot_be_tuned_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ModelError, match=reason):
        check_tunable(_config(text))
