"""Values ready to show: an incident, a document, a target's health, and how they are written."""
