"""Decides which incident a finding belongs to."""
