"""A self-hosted container image hub. The rooms are drawn in docs/architecture.md."""

__version__ = "0.1.0"
