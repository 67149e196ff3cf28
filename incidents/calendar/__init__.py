"""The working calendar and arithmetic in working time."""
