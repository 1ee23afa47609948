"""What queueing theory says exactly of M/M/c, M/D/c and batch service: the fleet's simulation is compared with it."""

import math

import numpy as np


def erlang_late(rate: float, service_s: float, servers: int, limit_s: float) -> float:
    """M/M/c: the share of requests whose wait and service together exceed the limit (Erlang 1917).

    A request waits with the probability of Erlang's C formula, then exponentially; its service is exponential too.
    """
    served, offered = 1 / service_s, rate * service_s
    below = sum(offered**k / math.factorial(k) for k in range(servers))
    full = offered**servers / math.factorial(servers) / (1 - offered / servers)
    waits, drain = full / (below + full), servers * served - rate
    both = (drain * math.exp(-served * limit_s) - served * math.exp(-drain * limit_s)) / (drain - served)
    return (1 - waits) * math.exp(-served * limit_s) + waits * both


def erlang_wait_s(rate: float, service_s: float, servers: int) -> float:
    """M/M/c: the mean wait in seconds."""
    offered = rate * service_s
    below = sum(offered**k / math.factorial(k) for k in range(servers))
    full = offered**servers / math.factorial(servers) / (1 - offered / servers)
    return full / (below + full) / (servers / service_s - rate)


def crommelin(rate: float, service_s: float, servers: int, most: int = 400) -> np.ndarray:
    """M/D/c: how many requests are in the system, probabilities of 0 to `most` (Crommelin 1932).

    All that are in service at a time have left one service time later, so the numbers at times of that distance are a
    Markov chain: n' = max(n - c, 0) + arrivals.
    """
    came = poisson(rate * service_s, most)
    step = np.zeros((most + 1, most + 1))
    for n in range(most + 1):
        left = max(n - servers, 0)
        step[n, left:] = came[: most + 1 - left]
        step[n, most] += 1 - step[n].sum()
    return stationary(step)


def crommelin_waits_more(rate: float, service_s: float, servers: int, services: int) -> float:
    """M/D/c: the share of requests that wait longer than so many service times.

    One that finds n there begins within k service times if and only if n < (k + 1) c.
    """
    return float(crommelin(rate, service_s, servers)[(services + 1) * servers :].sum())


def crommelin_wait_s(rate: float, service_s: float, servers: int) -> float:
    """M/D/c: the mean wait in seconds, by Little's law."""
    there = crommelin(rate, service_s, servers)
    waiting = float((np.maximum(np.arange(len(there)) - servers, 0) * there).sum())
    return waiting / rate


def batch_wait_s(rate: float, service_s: float, batch: int, most: int = 400) -> float:
    """M/D[1,b]/1: one server takes all that wait, at most b, in the same time (Bailey 1954); the mean wait in seconds.

    Numbers left behind by services are a Markov chain; the mean number that waits is that of a cycle from one service's
    beginning to the next's (Wald), and Little's law makes a wait of it.
    """
    came = poisson(rate * service_s, most)
    step = np.zeros((most + 1, most + 1))
    for n in range(most + 1):
        left = max(n - batch, 0)
        step[n, left:] = came[: most + 1 - left]
        step[n, most] += 1 - step[n].sum()
    found = stationary(step)
    left = np.maximum(np.arange(most + 1) - batch, 0)
    waiting = float((found * (left * service_s + rate * service_s**2 / 2)).sum())
    return waiting / (service_s + found[0] / rate) / rate


def poisson(mean: float, most: int) -> np.ndarray:
    """Probabilities of 0 to `most`."""
    logs = np.arange(most + 1) * math.log(mean) - mean - np.array([math.lgamma(k + 1) for k in range(most + 1)])
    return np.exp(logs)


def stationary(step: np.ndarray) -> np.ndarray:
    """The stationary probabilities of a Markov chain."""
    size = len(step)
    equations = np.vstack([step.T - np.eye(size), np.ones(size)])
    return np.linalg.lstsq(equations, np.concatenate([np.zeros(size), [1.0]]), rcond=None)[0]
