"""Service-level objectives as pure functions: judging, the sequential test, the search for the highest rate."""
