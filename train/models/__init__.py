"""The model zoo: ``build_model`` makes any of its networks by name; one architecture a file."""

from train.models.macs import count_macs
from train.models.registry import MODELS, Architecture, at_size, build_model, list_models

__all__ = ["MODELS", "Architecture", "at_size", "build_model", "count_macs", "list_models"]
