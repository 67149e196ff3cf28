"""A store written by an earlier version, and the text of its pages as that version showed them."""
