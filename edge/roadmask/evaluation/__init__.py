"""Scores from one confusion matrix."""
