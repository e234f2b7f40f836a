"""Losses over logits and category masks: sums of terms such as ``ce+0.5*dice``."""

from train.loss_spec import parse_loss
from train.losses.segmentation import TERMS, SegmentationLoss

__all__ = ["TERMS", "SegmentationLoss", "parse_loss"]
