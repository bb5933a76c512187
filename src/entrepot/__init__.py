"""A self-hosted container image hub. The rooms are drawn in docs/architecture.md."""
