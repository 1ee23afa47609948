"""Several models in turn, each loaded alone: `slo-tuner measure` and `slo-tuner ladder`."""
