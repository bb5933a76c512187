"""Door 2: the management API at /, /api and /api/. Parameters, signature, dispatch, envelope."""
