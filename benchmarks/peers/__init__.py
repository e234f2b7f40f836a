"""Other runtimes on the same model and frames."""
