"""This host's files, mounts and processes."""
