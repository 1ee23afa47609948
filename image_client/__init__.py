"""image_client: sends image files to a served model and prints what it sees in them."""

from command_line.version import __version__ as __version__
