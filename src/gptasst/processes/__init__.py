"""Other programs, and where this one imports from."""
