"""One point at a time: open and closed loops, their validity, and the meter that takes them of a model."""
