"""The guest: clients of the hub, used by the command line, the tests and the samples."""
