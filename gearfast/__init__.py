"""gearfast: a drop-in Gearman job server. The public names."""

from gearfast.broker.broker import Broker
from gearfast.broker.inprocess import InProcessPeer
from gearfast.config import VERSION, Config
from gearfast.errors import ConfigError, GearfastError, ListenError, ProtocolError
from gearfast.protocol.packet import PacketReader, PacketType
from gearfast.server.server import Server

__version__ = VERSION

__all__ = [
    "Broker",
    "Config",
    "ConfigError",
    "GearfastError",
    "InProcessPeer",
    "ListenError",
    "PacketReader",
    "PacketType",
    "ProtocolError",
    "Server",
    "__version__",
]
