"""What a command works with: checked options, a server, the load, and where results go."""
