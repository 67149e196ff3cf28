"""Probes of the host a server runs on; every target local to the agent gets them."""
