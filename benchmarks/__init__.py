"""Measurements: accuracy, latency and their comparison; desktop and board alike, never shipped."""
