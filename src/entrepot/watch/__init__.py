"""What an operator looks at: counted requests, /metrics, /readyz, access log, traces. Never what a client asked for."""
