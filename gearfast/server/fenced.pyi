"""Answers that wait for the store: whose, and what becomes of them when it does not take a job."""

from gearfast.server.session import Service

def is_waited_for(service: Service, last: int) -> bool:
    """Whether a session waits until the store has a job with this number, or a lower one."""

def refuse_jobs(service: Service, numbers: set[int], text: bytes) -> None:
    """Answer QUEUE_ERROR to those who wait for one of these jobs to be stored."""
