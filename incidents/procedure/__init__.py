"""The office's procedure as data: steps, forms, roles and time standards."""
