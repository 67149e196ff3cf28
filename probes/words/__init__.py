"""Formatting helpers for probes: units, tables of evidence, texts of failures."""
