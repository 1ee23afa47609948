"""A predict request: its rows (`instances`) or columns (`inputs`) as one array for each input."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import BadRequestError
from .json_tensor import is_b64, to_array
from .signature import Signature, Tensor

Arrays = dict[str, Any]


@dataclass(frozen=True)
class PredictRequest:
    """Inputs by name, and whether they came as rows (`instances`), in which form the answer goes back."""

    arrays: Arrays
    rows: bool


def read_request(body: Mapping[str, Any], signature: Signature) -> PredictRequest:
    """The inputs of a request for a model of that signature; BadRequestError says what does not fit it."""
    signature.check_name(body.get("signature_name", ""))
    if "instances" in body and "inputs" in body:
        raise BadRequestError("Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist")
    if "instances" in body:
        return PredictRequest(_from_rows(body["instances"], signature.inputs), rows=True)
    if "inputs" in body:
        return PredictRequest(_from_columns(body["inputs"], signature.inputs), rows=False)
    raise BadRequestError("Missing 'inputs' or 'instances' key")


def _from_rows(rows: object, inputs: Sequence[Tensor]) -> Arrays:
    if not isinstance(rows, list) or not rows:
        raise BadRequestError("Expecting 'instances' to be a list/array with at least one value")
    if _is_named(rows[0]):
        return _from_objects(rows, inputs)
    only = _single(inputs, "instances")
    for number, row in enumerate(rows):
        if _is_named(row):
            raise BadRequestError(f"Expecting value/list but got object at item {number} of input list")
    return {only.name: to_array(rows, only.dtype)}


def _from_objects(rows: Sequence[Any], inputs: Sequence[Tensor]) -> Arrays:
    names = {one.name for one in inputs}
    given = {one.name for one in inputs if not one.optional or one.name in rows[0]}
    for number, row in enumerate(rows):
        if not _is_named(row):
            raise BadRequestError(f"Expecting object but got list at item {number} of input list")
        if row.keys() != given:
            wanted = ",".join(sorted(names))
            raise BadRequestError(f"Failed to process element: {number} of 'instances' list: keys must equal {wanted}")
    return {one.name: _named_array([row[one.name] for row in rows], one) for one in inputs if one.name in given}


def _from_columns(columns: object, inputs: Sequence[Tensor]) -> Arrays:
    if not _is_named(columns):
        only = _single(inputs, "inputs")
        return {only.name: to_array(columns, only.dtype)}
    assert isinstance(columns, dict)
    for one in inputs:
        if one.name not in columns and not one.optional:
            raise BadRequestError(f"Missing named input: {one.name} in 'inputs' object.")
    return {one.name: _named_array(columns[one.name], one) for one in inputs if one.name in columns}


def _named_array(value: object, tensor: Tensor) -> Any:
    try:
        return to_array(value, tensor.dtype)
    except BadRequestError as error:
        raise BadRequestError(f"Failed to process input: {tensor.name}. Error: {error}") from None


def _is_named(value: object) -> bool:
    return isinstance(value, dict) and not is_b64(value)


def _single(inputs: Sequence[Tensor], key: str) -> Tensor:
    needed = [one for one in inputs if not one.optional] or list(inputs)
    if len(needed) != 1:
        names = ", ".join(one.name for one in inputs)
        raise BadRequestError(f"{key} is a plain value/list, but the model has several inputs: {names}")
    return needed[0]
