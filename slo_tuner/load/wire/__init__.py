"""Requests over raw sockets: bytes that were prepared once, in the frames of HTTP/1.1 and of gRPC, by one loop."""
