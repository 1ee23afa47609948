"""Variants that take JPEG or PNG files: what their requests are, while the artefact takes pixels as before."""

from __future__ import annotations

from dataclasses import replace

from model_repo_builder.errors import InvalidError
from model_repo_builder.plan.schema import Variant
from model_repo_builder.signature import FLOATS, OPEN, STRING, Signature, Tensor
from triton_contract.encoded_image import EncodedImage


def check(variant: Variant, signature: Signature) -> None:
    """InvalidError for a variant with encoded images whose model takes no one image of known size per row."""
    if not variant.encoded_images:
        return
    tensor = signature.inputs[0]
    is_image = len(signature.inputs) == 1 and tensor.has_shape_of_image and len(tensor.shape) == 3
    if is_image and not tensor.may_be_pixels:
        found = f"true, and {tensor.name} is {tensor.dtype}{tensor.limits}"
        allowed = "false, or a model with pixels of 0 to 255, or floating-point numbers made of them"
        raise InvalidError(f"variants.{variant.name}.encoded_images", found, allowed)
    if is_image and OPEN not in tensor.shape and signature.batched:
        return
    taken = ", ".join(one.named_shape() for one in signature.inputs) + ("" if signature.batched else " without a batch")
    allowed = "false, or a model with one image [batch, height, width, channels] of known size"
    raise InvalidError(f"variants.{variant.name}.encoded_images", f"true, and the model takes {taken}", allowed)


def requests(variant: Variant, signature: Signature) -> Signature:
    """What clients send: a file for each image where the variant takes encoded ones, else what the artefact takes."""
    if not variant.encoded_images:
        return signature
    files = tuple(Tensor(tensor.name, STRING, ()) for tensor in signature.inputs)
    # No bytes that Triton makes up are an image: model.py runs a black one before it is ready.
    return replace(signature, inputs=files, warm_up=False)


def described(variant: Variant, signature: Signature) -> dict[str, EncodedImage]:
    """What becomes of the files, by input."""
    if not variant.encoded_images:
        return {}
    return {tensor.name: _image(tensor) for tensor in signature.inputs}


def _image(tensor: Tensor) -> EncodedImage:
    scaled = tensor.range if tensor.dtype in FLOATS and tensor.range not in (None, (0, 255)) else None
    return EncodedImage(tensor.shape, tensor.dtype, scaled)
