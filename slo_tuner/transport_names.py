"""The protocols that requests can take, for whoever needs the names without the network libraries."""

PROTOCOLS = ("grpc", "http")
