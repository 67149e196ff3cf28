"""One module per page or small family of pages; each is a router."""
