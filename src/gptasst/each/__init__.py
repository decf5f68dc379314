"""Run an assistant on each of many files."""
