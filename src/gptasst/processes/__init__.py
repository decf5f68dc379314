"""Start other programs safely, and import only from safe places."""
