"""Pictures in and out of the console."""
