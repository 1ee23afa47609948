"""Documents about models have the form that TensorFlow Serving's clients read."""

import pytest
from signatures import HALF_PLUS_TWO, signature

from tfserving_front.documents import Version, known, metadata_document, status_document
from tfserving_front.errors import RestError

READY, FAILED = Version("123", "READY", ""), Version("124", "UNAVAILABLE", "no such file")
UNLOADED, UNTOUCHED = Version("122", "UNAVAILABLE", "unloaded"), Version("", "", "")


def test_versions_are_listed_newest_first_without_what_is_not_served() -> None:
    assert known([UNTOUCHED, READY, UNLOADED, FAILED]) == [FAILED, READY]


def test_the_status_of_a_version_that_failed_says_why() -> None:
    status = status_document("m", "", [FAILED, READY])["model_version_status"]
    assert status[0] == {
        "version": "124",
        "state": "END",
        "status": {"error_code": "UNKNOWN", "error_message": "no such file"},
    }
    # As TensorFlow Serving's documentation shows it.
    assert status[1] == {
        "version": "123",
        "state": "AVAILABLE",
        "status": {"error_code": "OK", "error_message": ""},
    }


@pytest.mark.parametrize(
    ("wanted", "message"),
    [("7", "Could not find version 7 of model m"), ("", "Could not find any versions of model m")],
)
def test_an_unknown_model_or_version_is_not_found(wanted: str, message: str) -> None:
    with pytest.raises(RestError, match=message) as refused:
        status_document("m", wanted, [READY] if wanted else [])
    assert refused.value.status == 404


def test_metadata_has_the_form_of_the_official_half_plus_two() -> None:
    document = metadata_document("default", "123", signature(HALF_PLUS_TWO))
    assert document["model_spec"] == {"name": "default", "signature_name": "", "version": "123"}
    definition = document["metadata"]["signature_def"]["signature_def"]["serving_default"]
    dims = [{"size": "-1", "name": ""}, {"size": "1", "name": ""}]
    shape = {"dim": dims, "unknown_rank": False}
    assert definition["inputs"] == {"x": {"dtype": "DT_FLOAT", "tensor_shape": shape, "name": "x"}}
    assert definition["outputs"] == {"y": {"dtype": "DT_FLOAT", "tensor_shape": shape, "name": "y"}}
    assert definition["method_name"] == "tensorflow/serving/predict"
