"""How closely a variant's outputs follow those of the source on the same examples."""

from .boxes import OVERLAP
from .compare import compare, run
from .methods import Method, methods
from .result import Answers, OutputResult, Result
from .threshold import TF32_ROUNDING, more_than_rounding, shortfall

__all__ = [
    "OVERLAP",
    "TF32_ROUNDING",
    "Answers",
    "Method",
    "OutputResult",
    "Result",
    "compare",
    "methods",
    "more_than_rounding",
    "run",
    "shortfall",
]
