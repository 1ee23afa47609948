"""Signatures to test with, from Triton's configuration as text."""

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2 as pb

from tfserving_front.signature import Signature, read_signature

HALF_PLUS_TWO = """
max_batch_size: 4
input { name: "x" data_type: TYPE_FP32 dims: 1 }
output { name: "y" data_type: TYPE_FP32 dims: 1 }
"""
# The inputs of the example in TensorFlow Serving's documentation.
NAMED = """
max_batch_size: 8
input { name: "tag" data_type: TYPE_STRING dims: 1 reshape { } }
input { name: "signal" data_type: TYPE_FP32 dims: 5 }
input { name: "sensor" data_type: TYPE_INT32 dims: [2, 2] }
output { name: "tag_bytes" data_type: TYPE_STRING dims: 1 reshape { } }
output { name: "total" data_type: TYPE_FP32 dims: 1 reshape { } }
"""


def signature(config: str) -> Signature:
    """The signature of a configuration."""
    return read_signature(text_format.Parse(config, pb.ModelConfig()))
