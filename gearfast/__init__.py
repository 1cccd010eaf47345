"""gearfast: a drop-in Gearman job server. The public names."""

from gearfast.broker.broker import Broker
from gearfast.broker.events import Kind
from gearfast.broker.inprocess import InProcessPeer
from gearfast.broker.job import Priority
from gearfast.broker.peer import Report
from gearfast.config import VERSION, Config
from gearfast.errors import ConfigError, GearfastError, ListenError, ProtocolError, StoreError, StoreLostError
from gearfast.plugins.admin import Admin
from gearfast.plugins.stores import make_store
from gearfast.protocol.packet import PacketReader, PacketType
from gearfast.server.plugin import Event, Plugin
from gearfast.server.server import FunctionFigures, Server
from gearfast.store.contract import Batch, Readable, Roomy, Store, StoredJob, StoreSettings

__version__ = VERSION

__all__ = [
    "Admin",
    "Batch",
    "Broker",
    "Config",
    "ConfigError",
    "Event",
    "FunctionFigures",
    "GearfastError",
    "InProcessPeer",
    "Kind",
    "ListenError",
    "PacketReader",
    "PacketType",
    "Plugin",
    "Priority",
    "ProtocolError",
    "Readable",
    "Report",
    "Roomy",
    "Server",
    "Store",
    "StoreError",
    "StoreLostError",
    "StoreSettings",
    "StoredJob",
    "__version__",
    "make_store",
]
