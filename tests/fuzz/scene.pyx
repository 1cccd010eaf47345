"""Settings of a server whose limits can be met."""

from gearfast.config import KIB, MIB, Config

cdef dict KNOWN = {}              # by the bytes they are made from: to make one takes longer than to play an input

RETRIES = (-1, 1, 2, -1)
WAKEUPS = (1, 0, 2, 1)
REMEMBERED = (1000, 0, 1, 3)
OUTPUTS = ((MIB, 64 * MIB), (1000, 5000), (1, 1), (100_000, 70_000))
PACKETS = (256 * MIB, 70_100, 16_384, 1000)
BUFFERS = (64 * KIB, 4 * KIB)
SLICES = (200, 1)
MEMORY_STEPS = (16 * MIB, 1)
LINGERS = (2.0, 0.0)


def settings(int a, int b, int c):
    """What three bytes stand for."""
    pause, limit = OUTPUTS[b & 3]
    return Config(
        job_handle_prefix="H:fuzz",
        job_retries=RETRIES[a & 3],
        worker_wakeup=WAKEUPS[a >> 2 & 3],
        remembered_results=REMEMBERED[a >> 4 & 3],
        exceptions=bool(a & 0x40),
        output_pause=pause,
        output_limit=limit,
        max_packet_size=PACKETS[b >> 2 & 3],
        receive_buffer=BUFFERS[b >> 4 & 1],
        answer_slice=SLICES[b >> 6 & 1],
        memory_step=MEMORY_STEPS[c & 1],
        linger=LINGERS[c >> 1 & 1],
        memory_reserve=0,
    )


cdef Scene scene_of(const Cell* first):
    cdef Scene scene
    key = first.a | first.b << 8 | (first.c & 15) << 16
    scene = KNOWN.get(key)
    if scene is None:
        scene = Scene()
        scene.config = settings(first.a, first.b, first.c)
        scene.has_store = first.a & 0x80 != 0
        scene.by_hand = first.b & 0x20 != 0
        scene.logs_jobs = first.c & 4 != 0
        scene.has_second = first.c & 8 != 0
        KNOWN[key] = scene
    return scene
