"""What may be added to a server: the admin text, and stores."""
