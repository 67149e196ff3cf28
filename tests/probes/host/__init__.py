"""Host probes, against real mounts where the test may make them."""
