"""The project's version and the name of its distribution, which stand here alone."""

DISTRIBUTION = "tensorflow-inference-system"
__version__ = "0.1.0"
