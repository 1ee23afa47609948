"""The server: its process, its model control, its metrics, and leaving it as it was found."""
