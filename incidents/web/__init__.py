"""Pages and API of the desk. Decides nothing; asks the desk and shows the answer."""
