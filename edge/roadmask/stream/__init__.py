"""The wire: twins of ``edge/cpp``."""
