"""How fast the server is, beside stock gearmand, measured from outside."""
