"""Knowledge files: text with places, passages, index and search."""
