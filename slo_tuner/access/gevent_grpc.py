"""Readies gRPC for gevent. Import it before the first gRPC channel of a process is opened."""

import gevent
import grpc.experimental.gevent

# The gRPC core must use gevent's sockets before its first channel, or a call would block every greenlet.
grpc.experimental.gevent.init_gevent()
# A call in flight waits in a thread of gevent's pool, which has 10 unless told otherwise: the answers to all further
# calls, to other models too, would be noticed only when one of the first 10 ends. Threads start when they are needed.
gevent.get_hub().threadpool.maxsize = 2048
