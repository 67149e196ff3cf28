"""Incident response: people, procedure, time standards and the record. Knows no database engine."""
