"""Reaching a server: session, login, availability, restarts and certificates."""
