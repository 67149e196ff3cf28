"""Limits a server runs into: connections, identifiers, memory, vacuum."""
