"""How a model says which tier it has: a parameter of config.pbtxt, which the server gives to whoever asks."""

PARAMETER = "tier"
