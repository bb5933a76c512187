"""The workflow engine: runs live on DBOS; what they do in the world is done here."""
