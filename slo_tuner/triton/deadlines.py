"""How long the server may take for what it is asked, in seconds."""

LOAD_S = 300.0
"""Loading a model: a large TF-TRT graph takes minutes."""
