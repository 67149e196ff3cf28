"""Accounts, passwords, sessions and role assignments."""
