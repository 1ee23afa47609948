"""Turns a TensorFlow model and a plan (YAML) into an optimised Triton model repository."""

__version__ = "0.1.0"
