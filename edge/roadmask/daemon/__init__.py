"""From camera frames to published masks; ``pipeline.py`` is the path of a frame."""
