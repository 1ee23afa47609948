"""Which addresses can be reached: tries each again and again for some seconds, as rules follow a change with a delay.

python3 probe.py SECONDS HOST:PORT...; prints, as one line of JSON, whether the last attempt at each address connected.
"""

import json
import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

EACH_S = 1.0


def opens(address: str, seconds: float) -> bool:
    """Whether the last attempt connected."""
    host, _, port = address.rpartition(":")
    end = time.monotonic() + seconds
    while True:
        started = time.monotonic()
        try:
            socket.create_connection((host, int(port)), timeout=EACH_S).close()
            opened = True
        except OSError:
            opened = False
        if time.monotonic() >= end:
            return opened
        time.sleep(max(0.0, started + EACH_S - time.monotonic()))


if __name__ == "__main__":
    seconds, addresses = float(sys.argv[1]), sys.argv[2:]
    with ThreadPoolExecutor(len(addresses)) as pool:
        found = list(pool.map(lambda address: opens(address, seconds), addresses))
    print(json.dumps(dict(zip(addresses, found, strict=True))))
