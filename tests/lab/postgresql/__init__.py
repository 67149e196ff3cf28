"""Every fault of PostgreSQL the lab can cause, family by family."""
