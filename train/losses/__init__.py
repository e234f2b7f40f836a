"""Losses over logits and category masks: sums of terms such as ``ce+0.5*dice``."""

from train.losses.segmentation import SegmentationLoss
from train.losses.spec import TERMS, parse_loss

__all__ = ["TERMS", "SegmentationLoss", "parse_loss"]
