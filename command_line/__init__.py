"""Ground for every command: errors and exit codes, checks of arguments, the machine. Imports no other package."""
