"""The fault lab: real servers broken in named ways, and what Sigap must say of each."""
