"""Training on the desktop: data pipeline, models, losses, fitting. Run as ``python -m train``."""
