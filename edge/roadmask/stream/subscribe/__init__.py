"""S4's end of the stream."""
