"""What Triton and a model agree on with everyone: metric names, values of inputs, tiers. Imports no other package."""
