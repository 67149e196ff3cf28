"""The /metrics page: its registry, its text format and what is kept for it in memory."""
