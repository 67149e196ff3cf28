"""Documents that each signature leaves: stored as data, rendered as pages."""
