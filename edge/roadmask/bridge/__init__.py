"""Masks across machines, over Zenoh."""
