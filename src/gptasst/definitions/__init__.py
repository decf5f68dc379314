"""Definitions: TOML documents to values and back, and where they are found."""
