"""Lets these tests import the scripts of ci/, and the packages of this checkout for them."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "ci"), str(ROOT)]
