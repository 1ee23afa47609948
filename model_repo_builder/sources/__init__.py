"""Where a model comes from: each source is found, checked, and frozen into one graph."""
