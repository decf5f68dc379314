"""Many files within a day, at half price."""
