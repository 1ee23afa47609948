"""slo_tuner: finds the highest request rate at which a Triton model keeps its latency objective."""

from command_line.version import __version__ as __version__
