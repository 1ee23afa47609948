"""Building a plan: into a directory, or into a bucket."""
