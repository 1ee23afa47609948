"""The command line: one file a command, each from its options to its exit code."""
