"""Finds the batch size, instances, queue delay and preferred batches that serve the most within an objective."""
