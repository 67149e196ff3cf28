"""What the demo shows: two applications with their servers, their load, and the faults to try."""
