"""The append-only event list, chained by hash, and its export."""
