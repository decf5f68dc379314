"""Definitions in the formats of other tools: reading them, and writing them."""
