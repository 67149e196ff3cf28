"""Questions that several engines share."""
