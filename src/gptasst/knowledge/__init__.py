"""Knowledge: from files to text with places, passages, index and search."""
