"""TOML documents to definitions and back."""
