"""The admin text, and each store on the real thing."""
