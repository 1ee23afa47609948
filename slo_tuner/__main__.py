"""Runs the command as `python -m slo_tuner`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main())
