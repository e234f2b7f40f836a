"""The model zoo: ``build_model`` makes any of its networks by name; one architecture a file."""

from train.models.macs import count_macs
from train.models.registry import MODELS, at_size, build_model

__all__ = ["MODELS", "at_size", "build_model", "count_macs"]
