"""Models in the field: installed whole or not at all, proved before they run, taken back."""
