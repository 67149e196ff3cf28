"""PostgreSQL probes, against real servers."""
