"""Entry point of `python -m model_repo_builder`."""

import sys

from model_repo_builder.cli import main

sys.exit(main())
