"""Plain helpers for what probes say: units, tables of evidence, failures in words."""
