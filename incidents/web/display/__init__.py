"""How pages show values: numbers and times as words, advice beside forms, a server's state."""
