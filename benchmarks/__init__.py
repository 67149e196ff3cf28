"""Benchmarks behind docs/benchmarks.md; each compares its candidates within one run."""
