"""A search over the options of a training."""
