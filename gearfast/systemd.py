"""What a service tells systemd (sd_notify(3))."""

import os
import socket
from contextlib import suppress

from gearfast.config import NOTIFY_PATIENCE


def notify(state: str, patience: float = NOTIFY_PATIENCE) -> None:
    """Tell systemd a state, such as ``READY=1``, when it started this process and wants to know.

    Nothing is said when systemd takes nothing for ``patience`` seconds.
    """
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address:
        return
    if address.startswith("@"):
        address = "\0" + address[1:]
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bus:
        bus.settimeout(patience)
        bus.connect(address)
        bus.send(state.encode())
