"""What a job has been through. There is nothing here for Python."""
