"""Who may ask the console what."""
