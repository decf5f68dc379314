"""Assistants as code: make a store match a directory of definitions."""
