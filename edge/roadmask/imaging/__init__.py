"""Pictures on disk, and masks drawn over them."""
