"""The routes that keep a renewable session in a cookie of the host's own origin (docs/adr/0021), without a framework."""
