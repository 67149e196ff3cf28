"""Real database servers, started for tests on loopback and ended by their own pid."""
