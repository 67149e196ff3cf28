"""The process that introduces the probes to the people."""
