"""Two models of different tiers on one server, under bursts: `slo-tuner tiers`."""
