"""The fault lab: real servers broken in named ways, with the incident expected for each."""
