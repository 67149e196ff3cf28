"""The commands of ``sigap``; a module is imported only when its command runs."""
