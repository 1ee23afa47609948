"""Clients send and see the shapes of the model itself, whatever Triton wants instead."""

import numpy as np
import pytest
from signatures import HALF_PLUS_TWO, NAMED, signature
from tritonclient.grpc import model_config_pb2 as pb

from tfserving_front.errors import RestError
from tfserving_front.outputs import Output
from tfserving_front.shapes import fit, split, unfit
from tfserving_front.signature import DTYPES


def output(shape: tuple[int, ...]) -> Output:
    """An output of that shape."""
    return Output(DTYPES[pb.TYPE_FP32], shape, b"")


HALF, MANY = signature(HALF_PLUS_TWO), signature(NAMED)


def test_missing_dimensions_of_size_1_are_added_and_taken_away_again() -> None:
    fitted = fit({"x": np.zeros(3)}, HALF)
    assert fitted.arrays["x"].shape == (3, 1)
    assert unfit({"y": output((3, 1))}, HALF, fitted.added)["y"].shape == (3,)


def test_shapes_as_declared_stay() -> None:
    fitted = fit({"x": np.zeros((3, 1))}, HALF)
    assert (fitted.arrays["x"].shape, fitted.added) == ((3, 1), 0)
    assert unfit({"y": output((3, 1))}, HALF, 0)["y"].shape == (3, 1)


def test_other_shapes_are_left_to_triton_to_refuse() -> None:
    assert fit({"x": np.zeros((3, 7, 2))}, HALF).arrays["x"].shape == (3, 7, 2)
    assert fit({"sensor": np.zeros(3)}, MANY).arrays["sensor"].shape == (3,)


def test_a_configured_reshape_is_undone_for_clients() -> None:
    fitted = fit({"tag": np.zeros(2), "signal": np.zeros((2, 5))}, MANY)
    assert fitted.arrays["tag"].shape == (2, 1)
    assert unfit({"tag_bytes": output((2, 1))}, MANY, fitted.added)["tag_bytes"].shape == (2,)


def test_an_input_that_cannot_be_reshaped_is_named() -> None:
    with pytest.raises(RestError, match=r"Input tag has shape \[2, 3\], expected \[-1\]"):
        fit({"tag": np.zeros((2, 3))}, MANY)


@pytest.mark.parametrize(("rows", "sizes"), [(1, [1]), (4, [4]), (5, [4, 1]), (9, [4, 4, 1])])
def test_a_batch_beyond_the_maximum_is_sent_in_parts(rows: int, sizes: list[int]) -> None:
    assert [len(part["x"]) for part in split({"x": np.zeros((rows, 1))}, HALF)] == sizes


def test_a_model_without_batches_gets_one_request() -> None:
    single = signature(HALF_PLUS_TWO.replace("max_batch_size: 4", "max_batch_size: 0"))
    assert len(list(split({"x": np.zeros((9, 1))}, single))) == 1


def test_an_output_whose_values_do_not_fill_the_model_s_shape_is_named() -> None:
    odd = signature(
        """max_batch_size: 0
        output { name: "y" data_type: TYPE_FP32 dims: 6 reshape { shape: [2, -1, -1] } }
        input { name: "x" data_type: TYPE_FP32 dims: 1 }"""
    )
    with pytest.raises(RestError, match=r"Output y has shape \[6\], which does not become"):
        unfit({"y": output((6,))}, odd, 0)
