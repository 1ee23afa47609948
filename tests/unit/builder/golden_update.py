"""Rewrites the golden files after a wanted change: `python tests/unit/builder/golden_update.py`; review the diff."""

from test_config import CASES, GOLDEN, golden_path, golden_text

for old in GOLDEN.glob("*.pbtxt"):
    old.unlink()
for case in CASES:
    golden_path(*case).write_text(golden_text(*case))
