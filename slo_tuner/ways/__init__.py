"""Closed-loop sweeps of one model over several ways to its server, as its Service and a gateway: what a way costs."""
