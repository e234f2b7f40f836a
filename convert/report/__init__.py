"""What a conversion shows a person: page, plots, summary."""
