"""What a person watches the stream and the board with."""
