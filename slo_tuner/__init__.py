"""slo_tuner: finds the highest request rate at which a Triton model keeps its latency objective."""

__version__ = "0.1.0"
