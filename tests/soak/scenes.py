"""What the peers of a soak do: each scene takes a moment, and is played again and again."""

from __future__ import annotations

import contextlib
import random
import threading
import time
from collections.abc import Callable

from tests.soak.ground import Ground, Link, reopen
from tests.support import wire
from tests.support.wire import Packet

Scene = Callable[[Ground, random.Random], None]

FUNCTIONS = ("resize", "mail", "index", "häufig")
LANES = (wire.SUBMIT_JOB_HIGH_BG, wire.SUBMIT_JOB_BG, wire.SUBMIT_JOB_LOW_BG)
GRABS = (wire.GRAB_JOB, wire.GRAB_JOB_UNIQ, wire.GRAB_JOB_ALL)
ASSIGNED = (wire.JOB_ASSIGN, wire.JOB_ASSIGN_UNIQ, wire.JOB_ASSIGN_ALL)
CROWD = 3000  # jobs from which on nobody submits more in the background


def payload(chance: random.Random) -> bytes:
    """Mostly little."""
    return chance.randbytes(chance.choice((0, 10, 100, 1000, 20_000)))


def unique(chance: random.Random) -> bytes:
    """Often none, sometimes one of a few."""
    return chance.choice((b"", b"", b"-", b"u%d" % chance.randrange(20), chance.randbytes(20).hex().encode()))


def acknowledge(ground: Ground, answer: Packet) -> None:
    """A job was created, or was not."""
    if answer.type == wire.JOB_CREATED:
        ground.acknowledged.add(answer.body)
        ground.count["background jobs"] += 1


def round_trips(ground: Ground, chance: random.Random) -> None:
    """A client and a worker of its own: each result is the right one."""
    name = f"own-{threading.get_ident()}"
    with ground.connect(chance) as client, ground.connect(chance) as worker:
        worker.request(wire.CAN_DO, name)
        for _ in range(chance.randrange(1, 40)):
            content = payload(chance)
            handle = client.call(wire.SUBMIT_JOB, name, "", payload=content).body
            got, _, given = worker.call(wire.GRAB_JOB).args(2)
            assert (got, given) == (handle, content)
            worker.request(wire.WORK_STATUS, handle, "1", "2")
            worker.request(wire.WORK_DATA, handle, payload=content)
            worker.request(wire.WORK_COMPLETE, handle, payload=content[::-1])
            heard = [client.recv_packet() for _ in range(3)]
            assert [packet.type for packet in heard] == [wire.WORK_STATUS, wire.WORK_DATA, wire.WORK_COMPLETE]
            assert heard[2].args(1) == [handle, content[::-1]]
            ground.count["round trips"] += 1


def submit_in_background(ground: Ground, chance: random.Random) -> None:
    """Of every priority, with reducers, due now or in a second; some are asked after."""
    with ground.connect(chance) as client:
        if sum(int(line.split("\t")[1]) for line in client.table("status")) > CROWD:
            time.sleep(0.05)
            return
        for _ in range(chance.randrange(1, 100)):
            name, content, own = chance.choice(FUNCTIONS), payload(chance), unique(chance)
            kind = chance.random()
            if kind < 0.1:
                due = str(int(time.time()) + chance.randrange(3))
                acknowledge(ground, client.call(wire.SUBMIT_JOB_EPOCH, name, own, due, payload=content))
            elif kind < 0.2:
                answer = client.call(wire.SUBMIT_REDUCE_JOB_BACKGROUND, name, own, "sum", "", payload=content)
                acknowledge(ground, answer)
            else:
                acknowledge(ground, client.call(chance.choice(LANES), name, own, payload=content))
            if kind > 0.95:
                assert client.call(wire.GET_STATUS, "H:none:1").type == wire.STATUS_RES


def submit_and_leave(ground: Ground, chance: random.Random) -> None:
    """Foreground jobs whose client does not wait for their end."""
    with ground.connect(chance) as client:
        for _ in range(chance.randrange(1, 30)):
            client.request(wire.SUBMIT_JOB, chance.choice(FUNCTIONS), unique(chance), payload=payload(chance))
        if chance.random() < 0.5:
            client.sync()
        if chance.random() < 0.3:
            client.reset()


def work(ground: Ground, chance: random.Random) -> None:
    """A while; it may fail, be late, or die with jobs in hand."""
    with ground.connect(chance) as worker:
        for name in chance.sample(FUNCTIONS, chance.randrange(1, 5)):
            if chance.random() < 0.3:
                worker.request(wire.CAN_DO_TIMEOUT, name, "1000")
            else:
                worker.request(wire.CAN_DO, name)
        for _ in range(chance.randrange(1, 300)):
            answer = worker.call(chance.choice(GRABS))
            while answer.type == wire.NOOP:
                answer = worker.recv_packet()
            if answer.type not in ASSIGNED:
                worker.request(wire.PRE_SLEEP)
                with contextlib.suppress(TimeoutError):
                    worker.sock.settimeout(0.2)
                    worker.recv_packet()
                worker.sock.settimeout(wire.TIMEOUT)
                if ground.over.is_set():
                    return
                continue
            handle = answer.args(1)[0]
            ground.seen.add(handle)
            if not finish(worker, handle, chance):
                return
            ground.count["jobs worked on"] += 1


def finish(worker: Link, handle: bytes, chance: random.Random) -> bool:
    """Report on a job; False: leave instead."""
    what = chance.random()
    if what < 0.01:
        worker.reset()
        return False
    if what < 0.012:
        time.sleep(1.2)  # longer than it said
    if what < 0.05:
        worker.request(wire.WORK_FAIL, handle)
    elif what < 0.1:
        worker.request(wire.WORK_EXCEPTION, handle, payload="trouble")
        worker.request(wire.WORK_FAIL, handle)
    elif what < 0.2:
        worker.request(wire.WORK_WARNING, handle, payload=payload(chance))
        worker.request(wire.WORK_COMPLETE, handle, payload="")
    elif what < 0.25:
        worker.request(wire.RESET_ABILITIES)
        return False
    else:
        worker.request(wire.WORK_COMPLETE, handle, payload=payload(chance))
    return True


def administrate(ground: Ground, chance: random.Random) -> None:
    """Look at everything, and cancel some of what nobody waits for."""
    with ground.connect(chance) as admin:
        for line in ("status", "prioritystatus", "workers", "show unique jobs"):
            admin.table(line)
        jobs = [line.split("\t")[0] for line in admin.table("show jobs") if line.endswith("\t1")]
        for handle in chance.sample(jobs, min(len(jobs), 20)):
            if admin.admin(f"cancel job {handle}") == b"OK\r\n":
                ground.seen.add(handle.encode())
                ground.count["jobs cancelled"] += 1
        name = f"made-{chance.randrange(1 << 30)}"
        assert admin.admin(f"create function {name}") == b"OK\r\n"
        assert admin.admin(f"maxqueue {name} 10") == b"OK\r\n"
        assert admin.admin(f"drop function {name}") == b"OK\r\n"


def take_on_much(ground: Ground, chance: random.Random) -> None:
    """Hundreds of functions that nobody has heard of, given up in one of three ways."""
    with ground.connect(chance) as worker:
        for _ in range(300):
            worker.request(wire.CAN_DO, chance.randbytes(chance.choice((8, 500))).hex())
        worker.sync()
        if chance.random() < 0.5:
            worker.request(wire.RESET_ABILITIES)
        ground.count["functions taken on"] += 300


def be_deaf(ground: Ground, chance: random.Random) -> None:
    """Ask for more than one takes, and leave."""
    with ground.connect(chance) as peer:
        peer.sock.settimeout(0.5)
        with contextlib.suppress(TimeoutError, OSError):
            for _ in range(chance.randrange(1, 200)):
                peer.sock.sendall(wire.request(wire.ECHO_REQ, payload=b"e" * 50_000))
        if chance.random() < 0.5:
            peer.reset()
        ground.count["deaf peers"] += 1


def babble(ground: Ground, chance: random.Random) -> None:
    """What is no packet, or is one only in part."""
    with ground.connect(chance) as peer:
        good = wire.request(wire.SUBMIT_JOB, "resize", "", payload=payload(chance))
        noise = bytearray(good * 3)
        for _ in range(chance.randrange(1, 10)):
            noise[chance.randrange(len(noise))] = chance.randrange(256)
        peer.send(bytes(noise[: chance.randrange(len(noise))]))
        if chance.random() < 0.5:
            peer.send(chance.randbytes(200))
        peer.sock.settimeout(0.1)
        with contextlib.suppress(TimeoutError, OSError):
            while peer.sock.recv(65536):
                pass
        ground.count["bad streams"] += 1


def stall(ground: Ground, chance: random.Random) -> None:
    """A handshake that is not one, and a socket that says nothing."""
    with contextlib.closing(ground.plain()) as silent, contextlib.closing(ground.plain()) as rude:
        rude.send(chance.randbytes(10))
        silent.sock.close()
    with (
        contextlib.suppress(OSError),
        contextlib.closing(wire.Connection(ground.server.host, ground.server.port)) as raw,
    ):
        raw.send(chance.randbytes(20) if chance.random() < 0.5 else b"\x16\x03\x01\x02\x00\x01")
        raw.half_close()
        raw.read_to_end()


def carry_much(ground: Ground, chance: random.Random) -> None:
    """A few megabytes there, and back to several who share the job."""
    name = f"large-{threading.get_ident()}"
    content = chance.randbytes(1000) * chance.randrange(1, 3000)
    with ground.connect(chance) as one, ground.connect(chance) as two, ground.connect(chance) as worker:
        worker.request(wire.CAN_DO, name)
        handle = one.call(wire.SUBMIT_JOB, name, "u", payload=content).body
        assert two.call(wire.SUBMIT_JOB, name, "u", payload=content).body == handle
        assert worker.call(wire.GRAB_JOB).args(2)[2] == content
        sending = threading.Thread(
            target=worker.request, args=(wire.WORK_COMPLETE, handle), kwargs={"payload": content}
        )
        sending.start()
        for client in (one, two):
            assert client.recv_packet().args(1) == [handle, content]
        sending.join()
        ground.count["megabytes"] += len(content) >> 20


def hang_up_the_log(ground: Ground, chance: random.Random) -> None:
    """SIGHUP, now and then."""
    ground.over.wait(chance.uniform(0.5, 2))
    reopen(ground)
    ground.count["SIGHUP"] += 1


CAST: tuple[Scene, ...] = (
    round_trips,
    submit_in_background,
    submit_in_background,
    submit_and_leave,
    work,
    work,
    work,
    administrate,
    take_on_much,
    be_deaf,
    babble,
    stall,
    carry_much,
    hang_up_the_log,
)
"""Each is played by a thread of its own."""
