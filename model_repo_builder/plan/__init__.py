"""The plan: its schema, and errors that name the field, the value and what is allowed."""
