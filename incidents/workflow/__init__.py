"""What may happen to an incident, and what each event makes of it."""
