"""How bytes travel to a server under a deadline."""
