"""Frames for training: loading, augmentation, prefetch."""
