"""The management API as data, and everything printed from it. No input or output here, no framework."""
