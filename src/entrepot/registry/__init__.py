"""Door 1: the OCI distribution API under /v2 and its token endpoint."""
