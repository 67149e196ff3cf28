"""Documents: what each signature leaves behind, first as data, then as pages."""
