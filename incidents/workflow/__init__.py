"""What may happen to an incident, and the effect of each event."""
