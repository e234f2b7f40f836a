"""Comparisons and ablations as pages and tables."""
