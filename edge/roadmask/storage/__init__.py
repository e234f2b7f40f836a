"""Files at any address: fetched, checked, cached."""
