"""Files, durability and what fills the disk."""
