"""The live page: one subscription for all viewers."""
