"""Replication: lag, members, slots and channels."""
