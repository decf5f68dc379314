"""Paths, atomic files, SQLite and locks."""
