"""What is known of a ratio of two measured rates, of which either may be higher."""


def ratio_bound(more: bool, base_more: bool) -> str:
    """What a ratio of two rates is: exact (empty), or at least (`>=`) or at most (`<=`) that; `?` where nobody knows.

    `more` says that the rate may be higher than it is known to be, `base_more` the same of the one it is divided by.
    """
    if more and base_more:
        return "?"
    return ">=" if more else "<=" if base_more else ""
