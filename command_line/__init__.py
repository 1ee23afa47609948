"""Ground for every command: errors and exit codes, checks of arguments, the machine. Imports no other package.

The package of every command imports this one first. So a Python that pip would have refused is refused here too, where
a command runs from a source tree; what stands in this file is understood by any Python 3.
"""

import sys

SUPPORTED = ((3, 11), (3, 12))
"""The versions of Python that the project is tested with; `requires-python` of pyproject.toml says the same."""

if sys.version_info[:2] not in SUPPORTED:
    sys.stderr.write(
        "Python %d.%d is not supported; allowed: %s, as in `python3.12 -m venv .venv`\n"  # noqa: UP031
        % (*sys.version_info[:2], " or ".join("%d.%d" % one for one in SUPPORTED))  # noqa: UP031
    )
    raise SystemExit(2)
