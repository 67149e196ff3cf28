"""Pages and API: what people see of the desk. Decides nothing; asks the desk and shows it."""
