"""Assistants as code: bring a store into line with a directory of definitions."""
