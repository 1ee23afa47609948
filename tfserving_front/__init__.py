"""TensorFlow Serving's REST API for models on a Triton server."""

from command_line.version import __version__ as __version__
