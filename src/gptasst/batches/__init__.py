"""Run many files within 24 hours, at half price."""
