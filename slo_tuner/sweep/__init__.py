"""Closed loops of one model through several addresses of its server, as its Service and a gateway."""
