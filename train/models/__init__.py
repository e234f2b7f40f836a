"""The model zoo: ``build_model`` makes any of its networks by name; one architecture a file."""

from train.models.macs import count_macs
from train.models.registry import MODELS, Architecture, build_model, list_models

__all__ = ["MODELS", "Architecture", "build_model", "count_macs", "list_models"]
