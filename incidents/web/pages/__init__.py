"""One module a page or a small family of pages; each is a router."""
