"""A server as its peers, and the machine, see it."""
