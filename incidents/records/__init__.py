"""Incidents rebuilt from events, their summary rows and timelines."""
