"""Results of accuracy as a page for people."""
