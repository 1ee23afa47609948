"""Turns a TensorFlow model and a plan (YAML) into an optimised Triton model repository."""

from command_line.version import __version__ as __version__
