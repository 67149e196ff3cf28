"""Readings that follow from other readings or from several targets."""
