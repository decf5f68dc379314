"""The only package that speaks HTTP or imports the SDK, and its own types."""
