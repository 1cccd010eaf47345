"""What holds for a job, whoever has said so. There is nothing here for Python."""
