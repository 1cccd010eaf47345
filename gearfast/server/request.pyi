"""What each packet type asks of the broker, and what it is answered (protocol section 2)."""

from gearfast.server.session import Service

def answer_requests(service: Service, timeout_unit: str = "ms", submit_parameters: bool = True) -> None:
    """Have the sessions of this service answer all requests of the protocol from now on.

    ``timeout_unit``: what CAN_DO_TIMEOUT counts, one of ``config.TIMEOUT_UNITS``. ``submit_parameters``: whether what
    stands behind a ``;`` in the name of a submitted job is read as parameters.
    """
