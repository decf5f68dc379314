"""Check everything, change nothing."""
