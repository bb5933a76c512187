"""Several nodes of one hub behind a balancer."""
