"""A run on disk: its record, its files, what is kept."""
