"""How a client reaches a server that guards itself: TLS, client certificates, headers and bearer tokens."""
