"""Training on the desktop: data pipeline, models, losses, fitting. Run as ``python -m train``."""

CHECKPOINT = "checkpoint.npz"  # in the folder of a run
