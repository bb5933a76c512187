"""The verbs. A verb touches bytes and rows in the right order; doors call verbs."""
