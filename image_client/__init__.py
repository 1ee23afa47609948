"""image_client: sends image files to a served model and prints what it sees in them."""

__version__ = "0.1.0"
