"""Lets the chart tests import their own modules by name, the scripts of ci/, and monitoring/, which is in no wheel."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "ci"), str(HERE.parents[1])]
