"""Door 3: the web pages."""
