"""Whole splits evaluated as jobs: what is kept, and what is written."""
