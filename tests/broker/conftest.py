"""A broker with one client and one worker of the function `f`."""

from __future__ import annotations

import pytest

from gearfast.broker.broker import Broker
from gearfast.broker.inprocess import InProcessPeer


@pytest.fixture(name="broker")
def make_broker() -> Broker:
    return Broker(b"H:test")


@pytest.fixture(name="client")
def make_client(broker: Broker) -> InProcessPeer:
    return InProcessPeer(broker)


@pytest.fixture(name="worker")
def make_worker(broker: Broker) -> InProcessPeer:
    worker = InProcessPeer(broker)
    worker.can_do(b"f")
    return worker
