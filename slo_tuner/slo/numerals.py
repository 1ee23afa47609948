"""Rates and shares as people read them: never rounded to nothing, nor to the other side of a limit."""

_MOST_DIGITS = 12


def rate_text(rate_per_s: float) -> str:
    """A rate with one digit after the point; a slower one with two that are not 0: 0.04 is not 0.0."""
    return f"{rate_per_s:.1f}" if rate_per_s >= 0.95 else f"{rate_per_s:.2g}"


def beside(value: float, limit: float, digits: int = 1, sign: str = "") -> str:
    """A value with so many digits after the point, or with as many as show on which side of the limit it is.

    100.04 ms beside a limit of 100 ms is no 100.0: that looks kept.
    """
    if abs(value - limit) > 1e-9 * abs(limit):
        for more in range(digits, _MOST_DIGITS):
            text = f"{value:{sign}.{more}f}"
            if (float(text) > limit) == (value > limit) and (float(text) < limit) == (value < limit):
                return text
    return f"{value:{sign}.{digits}f}"


def percent(share: float, allowed: float | None = None) -> str:
    """A share in per cent, with as many digits as say something, also beside the one that is allowed."""
    digits = 2 if share < 0.0995 else 0
    shown = f"{100 * share:.{digits}f}" if allowed is None else beside(100 * share, 100 * allowed, digits)
    return f"{shown} %" if float(shown) or not share else f"{100 * share:.2g} %"
