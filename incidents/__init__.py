"""Incidents know people, procedure and time, and no database engine."""
