"""What the console answers at which path."""
