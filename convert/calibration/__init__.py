"""The frames that quantisation is calibrated with, and how they are picked."""
