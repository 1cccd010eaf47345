"""The life of a job: what is asked for, who can do what, and what time makes necessary."""
