"""Runs the command as `python -m tfserving_front`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
