"""TensorFlow Serving's REST API for models on a Triton server."""

__version__ = "0.1.0"
