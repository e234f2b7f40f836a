"""Fitting: optimiser, epochs, checkpoints, progress."""
