"""``/api/v1``: its routes, the types they take and give, and how values become those types."""
