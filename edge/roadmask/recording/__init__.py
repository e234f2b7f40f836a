"""The stream kept in MCAP files, and played again."""
