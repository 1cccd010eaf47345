"""What is asked of a job beyond its function, priority and time; there is nothing here for Python (see policy.pxd)."""
