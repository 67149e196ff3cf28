"""The agent process: configuration, scheduling, metrics, HTTP and the command line."""
