"""The camera's lens and place: the file that holds them, and ways to find them out."""
