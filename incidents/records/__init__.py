"""Incidents computed from events, their summary rows and timelines."""
