"""One statement and one typed function, side by side; the shared SQL dialect."""
