"""Galera and Group Replication."""
