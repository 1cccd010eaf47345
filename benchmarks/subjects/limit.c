/* The least that one thread can do: a bare epoll loop that moves the bytes of a Gearman job server and does nothing
 * else. No names, no unique ids, no limits, no checks, no timers: one FIFO for all, jobs found by their number.
 *
 * It is no job server: a job is lost with its worker, and a peer that breaks the protocol gets what comes of it. It is
 * there to be measured against. So it may leave out work that a server must do, but it may not do it badly:
 *   one recv per readable socket, and one send per peer that has something to be told, at the end of the turn;
 *   a payload is copied once into its job and once out of it;
 *   a queued job wakes one sleeper;
 *   a peer that does not read what it was sent is not read from until it does.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <malloc.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { PRE_SLEEP = 4, NOOP = 6, SUBMIT_JOB = 7, JOB_CREATED = 8, GRAB_JOB = 9, NO_JOB = 10 };
enum { JOB_ASSIGN = 11, WORK_COMPLETE = 13, ECHO_REQ = 16, ECHO_RES = 17, SUBMIT_JOB_BG = 18 };
enum { HEADER = 12, RECV = 128 * 1024, EVENTS = 256, KEPT = 64 * 1024, MAX_PEERS = 65536 };

static const char PREFIX[] = "H:limit:";
enum { PREFIX_SIZE = sizeof(PREFIX) - 1, HANDLE_MOST = PREFIX_SIZE + 20 };

struct bytes { /* of a buffer: [from, to) is not yet dealt with */
    char *data;
    size_t from, to, room;
};

struct peer {
    struct peer *before, *after; /* among the sleepers, when asleep */
    struct bytes in, out;        /* an unfinished packet; what was not yet sent */
    int fd;
    uint32_t serial; /* a descriptor is used again, a serial is not */
    char dirty, asleep, blocked, gone;
};

struct job {
    int fd; /* of the submitter who waits for the answer, or -1 */
    uint32_t serial, size;
    char body[]; /* function name, NUL, payload: as JOB_ASSIGN tells it */
};

static int poll_fd, listener;
static char shared[RECV]; /* what is received is read here, unless an unfinished packet is continued */

static struct peer *peers[MAX_PEERS];     /* by descriptor */
static struct peer *dirty[2 * MAX_PEERS]; /* to be sent to at the end of the turn; one that is lost then comes twice */
static size_t dirty_count;
static uint32_t serials;
static struct peer sleepers = {.before = &sleepers, .after = &sleepers}; /* a ring; who sleeps longest comes first */

/* Jobs by number: [oldest, next_grab) are being worked on or done, [next_grab, next_number) are queued. */
static struct job **jobs;
static uint64_t oldest, next_grab, next_number, jobs_mask;

static void *must(void *memory) {
    return memory != NULL ? memory : (abort(), NULL);
}

/* Makes room for so many more behind `to`; what is there moves to the front when that is enough. */
static void reserve(struct bytes *b, size_t more) {
    if (b->room - b->to >= more)
        return;
    if (b->from) {
        memmove(b->data, b->data + b->from, b->to - b->from);
        b->to -= b->from;
        b->from = 0;
    }
    if (b->room - b->to < more) {
        b->room = b->to + more > 2 * b->room ? b->to + more : 2 * b->room;
        b->data = must(realloc(b->data, b->room));
    }
}

/* Empties it; a buffer that was once large is not kept. */
static void empty(struct bytes *b) {
    if (b->room > KEPT) {
        free(b->data);
        *b = (struct bytes){0};
    }
    b->from = b->to = 0;
}

static void mark_dirty(struct peer *p) {
    if (!p->dirty)
        dirty[dirty_count++] = p;
    p->dirty = 1;
}

/* Writes the header of a reply and returns the place of its body, which the caller fills. */
static char *reply(struct peer *p, uint32_t type, uint32_t size) {
    uint32_t head[3] = {0, htonl(type), htonl(size)};
    memcpy(head, "\0RES", 4);
    reserve(&p->out, HEADER + size);
    char *at = p->out.data + p->out.to;
    memcpy(at, head, HEADER);
    p->out.to += HEADER + size;
    mark_dirty(p);
    return at + HEADER;
}

/* Writes the handle of a job; returns its size. */
static uint32_t write_handle(char *at, uint64_t number) {
    char digits[20];
    uint32_t count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    memcpy(at, PREFIX, PREFIX_SIZE);
    for (uint32_t i = 0; i < count; i++)
        at[PREFIX_SIZE + i] = digits[count - 1 - i];
    return PREFIX_SIZE + count;
}

static void get_up(struct peer *p) {
    p->before->after = p->after;
    p->after->before = p->before;
    p->asleep = 0;
}

static void wake_one(void) {
    struct peer *p = sleepers.after;
    if (p != &sleepers) {
        get_up(p);
        reply(p, NOOP, 0);
    }
}

static void grow_jobs(void) {
    uint64_t mask = jobs_mask ? 2 * jobs_mask + 1 : 1023;
    struct job **larger = must(malloc((mask + 1) * sizeof(*larger)));
    for (uint64_t number = oldest; number < next_number; number++)
        larger[number & mask] = jobs[number & jobs_mask];
    free(jobs);
    jobs = larger;
    jobs_mask = mask;
}

static void submit(struct peer *p, const char *body, uint32_t size, int foreground) {
    const char *unique = body + strlen(body) + 1, *payload = unique + strlen(unique) + 1;
    uint32_t name_size = (uint32_t)(unique - body), payload_size = size - (uint32_t)(payload - body);
    struct job *job = must(malloc(sizeof(*job) + name_size + payload_size));
    job->fd = foreground ? p->fd : -1;
    job->serial = p->serial;
    job->size = name_size + payload_size;
    memcpy(job->body, body, name_size);
    memcpy(job->body + name_size, payload, payload_size);
    if (next_number - oldest > jobs_mask || jobs == NULL)
        grow_jobs();
    jobs[next_number & jobs_mask] = job;

    char handle[HANDLE_MOST];
    uint32_t handle_size = write_handle(handle, next_number++);
    memcpy(reply(p, JOB_CREATED, handle_size), handle, handle_size);
    wake_one();
}

static void grab(struct peer *p) {
    char handle[HANDLE_MOST + 1];
    if (next_grab == next_number) {
        reply(p, NO_JOB, 0);
        return;
    }
    struct job *job = jobs[next_grab & jobs_mask];
    uint32_t handle_size = write_handle(handle, next_grab++);
    handle[handle_size++] = 0; /* ends an argument */
    char *at = reply(p, JOB_ASSIGN, handle_size + job->size);
    memcpy(at, handle, handle_size);
    memcpy(at + handle_size, job->body, job->size);
}

static void complete(const char *body, uint32_t size) {
    uint64_t number = 0;
    for (const char *digit = body + PREFIX_SIZE; *digit; digit++)
        number = 10 * number + (uint64_t)(*digit - '0');
    struct job *job = jobs[number & jobs_mask];
    struct peer *client = job->fd < 0 ? NULL : peers[job->fd];
    if (client != NULL && client->serial == job->serial)
        memcpy(reply(client, WORK_COMPLETE, size), body, size);
    free(job);
    jobs[number & jobs_mask] = NULL;
    while (oldest < next_grab && jobs[oldest & jobs_mask] == NULL)
        oldest++;
}

static void sleep_peer(struct peer *p) {
    if (p->asleep)
        return;
    if (next_grab != next_number) {
        reply(p, NOOP, 0);
        return;
    }
    p->asleep = 1;
    p->before = sleepers.before;
    p->after = &sleepers;
    p->before->after = p->after->before = p;
}

static void serve(struct peer *p, uint32_t type, const char *body, uint32_t size) {
    switch (type) {
    case SUBMIT_JOB_BG: submit(p, body, size, 0); break;
    case SUBMIT_JOB: submit(p, body, size, 1); break;
    case GRAB_JOB: grab(p); break;
    case WORK_COMPLETE: complete(body, size); break;
    case PRE_SLEEP: sleep_peer(p); break;
    case ECHO_REQ: memcpy(reply(p, ECHO_RES, size), body, size); break;
    default: break; /* CAN_DO and the like: every worker can do everything */
    }
}

static void watch(struct peer *p, int operation, uint32_t what) {
    struct epoll_event event = {.events = what, .data.ptr = p};
    epoll_ctl(poll_fd, operation, p->fd, &event);
}

static void accept_peers(void) {
    int fd, on = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        struct peer *p = peers[fd] = must(calloc(1, sizeof(*p)));
        p->fd = fd;
        p->serial = ++serials;
        watch(p, EPOLL_CTL_ADD, EPOLLIN);
    }
}

/* Closes its connection; the memory goes at the end of the turn, since it may be among the dirty ones already. */
static void lose(struct peer *p) {
    if (p->asleep)
        get_up(p);
    peers[p->fd] = NULL;
    close(p->fd);
    p->gone = 1;
    mark_dirty(p);
}

/* Serves every whole packet in the data; returns the bytes that are left, and in `due` how many are missing. */
static size_t serve_packets(struct peer *p, const char *data, size_t size, size_t *due) {
    size_t at = 0;
    *due = 0;
    while (size - at >= HEADER) {
        uint32_t head[3];
        memcpy(head, data + at, HEADER);
        size_t whole = HEADER + (size_t)ntohl(head[2]);
        if (size - at < whole) {
            *due = whole - (size - at);
            break;
        }
        serve(p, ntohl(head[1]), data + at + HEADER, (uint32_t)(whole - HEADER));
        at += whole;
    }
    return size - at;
}

static void read_peer(struct peer *p) {
    struct bytes *in = &p->in;
    int continued = in->to > in->from;
    ssize_t got = continued ? recv(p->fd, in->data + in->to, in->room - in->to, 0) : recv(p->fd, shared, RECV, 0);
    if (got <= 0) {
        if (got == 0 || (errno != EAGAIN && errno != EINTR))
            lose(p);
        return;
    }
    if (continued)
        in->to += (size_t)got;
    char *data = continued ? in->data + in->from : shared;
    size_t due, size = continued ? in->to - in->from : (size_t)got;
    size_t left = serve_packets(p, data, size, &due);
    size_t next = due > KEPT ? due : KEPT; /* to be received at once */
    if (left == 0) {
        empty(in);
    } else if (continued) {
        in->from = in->to - left;
        reserve(in, next);
    } else {
        reserve(in, left + next);
        memcpy(in->data, data + size - left, left);
        in->to = left;
    }
}

/* One send; what does not fit waits until the peer has read. */
static void flush(struct peer *p) {
    struct bytes *out = &p->out;
    ssize_t sent = send(p->fd, out->data + out->from, out->to - out->from, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        lose(p);
        return;
    }
    out->from += sent > 0 ? (size_t)sent : 0;
    char blocked = out->from < out->to;
    if (!blocked)
        empty(out);
    if (blocked != p->blocked)
        watch(p, EPOLL_CTL_MOD, blocked ? EPOLLOUT : EPOLLIN);
    p->blocked = blocked;
}

static void end_turn(void) {
    for (size_t i = 0; i < dirty_count; i++) { /* a peer that is lost here is marked already, or is added behind */
        struct peer *p = dirty[i];
        p->dirty = 0;
        if (!p->gone) {
            flush(p);
            continue;
        }
        free(p->in.data);
        free(p->out.data);
        free(p);
    }
    dirty_count = 0;
}

int main(int argc, char **argv) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct epoll_event events[EVENTS], accepting = {.events = EPOLLIN};
    int on = 1;
    address.sin_port = htons((uint16_t)(argc == 2 ? atoi(argv[1]) : 4730));
    mallopt(M_MMAP_THRESHOLD, 1 << 30); /* large payloads are not fetched from the kernel anew each time */
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    poll_fd = epoll_create1(EPOLL_CLOEXEC);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(listener, (struct sockaddr *)&address, sizeof(address)) != 0 || listen(listener, 4096) != 0) {
        perror("limit: cannot listen");
        return 1;
    }
    epoll_ctl(poll_fd, EPOLL_CTL_ADD, listener, &accepting); /* its pointer is NULL */
    for (;;) {
        int ready = epoll_wait(poll_fd, events, EVENTS, -1);
        for (int i = 0; i < ready; i++) {
            struct peer *p = events[i].data.ptr;
            if (p == NULL)
                accept_peers();
            else if (p->blocked)
                mark_dirty(p);
            else
                read_peer(p);
        }
        end_turn();
    }
}
