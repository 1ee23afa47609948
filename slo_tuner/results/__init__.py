"""results.json: its schema, and reading and writing it."""
