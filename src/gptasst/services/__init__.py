"""What the program does, one module a noun. Services return values and print nothing."""
