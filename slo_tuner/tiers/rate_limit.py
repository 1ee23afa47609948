"""The options of tritonserver without which it ignores tiers; charts/triton gives it the same."""


def rate_limit_arguments(executions: int) -> tuple[str, ...]:
    """Hold tiers, with so many executions side by side: on all cores together, and on each GPU."""
    resources = (f"--rate-limit-resource={device}:{executions}" for device in ("cpu", "gpu"))
    return ("--rate-limit=execution_count", *resources)
