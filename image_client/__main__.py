"""Runs the command as `python -m image_client`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
