"""Memory and order."""
