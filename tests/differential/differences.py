"""Where gearfast means to differ from Debian's gearmand: the table behind docs/differences.md.

An exchange whose answers differ must stand here, and one that stands here must differ: a stale entry fails the
tests. Entries without exchanges are about what no exchange of bytes can show.
`python -m tests.differential.differences` writes the document.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "differences.md"


@dataclass(frozen=True)
class Difference:
    """One row. `exchanges` are played against both, `alone` names scripts that stock cannot be asked."""

    subject: str
    stock: str
    gearfast: str
    affected: str
    reason: str
    exchanges: tuple[str, ...] = ()
    alone: tuple[str, ...] = ()


def each(script: str, *numbers: int) -> tuple[str, ...]:
    """The names of some exchanges of one script."""
    return tuple(f"{script}.{number}" for number in numbers)


_TOO_FEW = (
    "submit-job-0",
    "submit-job-1",
    "submit-job-2",
    "submit-job-bg-0",
    "submit-job-high-0",
    "submit-job-high-bg-0",
    "submit-job-low-0",
    "submit-job-low-bg-0",
    "submit-job-epoch-0",
    "submit-reduce-job-0",
    "submit-reduce-job-background-0",
    "work-complete-0",
    "work-data-0",
    "work-warning-0",
    "work-exception-0",
)

FRAMING = [
    Difference(
        "Packet types from 0x80000000",
        "The server crashes.",
        "The connection is closed, as for every unknown type.",
        "Nobody but an attacker.",
        "One packet of twelve bytes must not end a server.",
        alone=("type-80000000", "type-ffffffff"),
    ),
    Difference(
        "A body with too few arguments",
        "Takes the missing NUL from the next packet, then closes the connection or waits for ever.",
        "ERROR `INVALID_PACKET`, `Too few arguments for <NAME>`, at once; the stream stays in step.",
        "Authors of clients, who now see what is wrong.",
        "The size in the header says where the packet ends; nothing behind it may be read as part of it.",
        exchanges=(*(f"too-few-{name}.1" for name in _TOO_FEW), "size-too-small.1"),
        alone=("too-few-work-status-0", "too-few-work-status-1", "too-few-can-do-timeout-0"),
    ),
    Difference(
        "A worker's report that is a bare handle, without the NUL behind it",
        "Takes the missing NUL from the next packet, then closes the connection; the job runs again, without end.",
        "The report has empty data; its client gets it with the NUL.",
        "Perl workers (Gearman::Worker) whose function returns `''` or `0`: their jobs are completed.",
        "The size in the header makes it unambiguous. Other short bodies could mean more than one thing.",
        exchanges=tuple(f"bare-handle-work-{name}.5" for name in ("data", "warning", "exception", "complete")),
    ),
    Difference(
        "Packets larger than `--max-packet-size` (256 MiB)",
        "No limit: up to 4 GiB are allocated on the word of a header.",
        "ERROR `ARGUMENT_TOO_LARGE`, then the connection is closed; nothing is allocated.",
        "Who sends more than 256 MiB in one packet raises the limit.",
        "A few idle connections could otherwise take all memory of the machine.",
        exchanges=("size-beyond-max-packet-size.2",),
        alone=("size-announced-huge",),
    ),
    Difference(
        "Memory",
        "No limit.",
        "`--max-memory`: above 80 % of it a submit is answered ERROR `QUEUE_ERROR` with the reason, above 90 % the "
        "largest unfinished packets and unread answers are cut off; `show memory`. Without a limit a submit is "
        "answered so when the system gives no more.",
        "Clients of a full server: they are told, and go on to the next one.",
        "A queue that is killed for its size keeps nothing of what is in memory.",
    ),
    Difference(
        "Functions that nobody uses",
        "Kept for ever, with their names.",
        "One without jobs, workers and limits is forgotten after a minute or two, at once if there are many of them; "
        "one that was made with `create function` stays.",
        "Who reads `status` for functions of long ago.",
        "5,000 names of 8 KB, said and taken back, would be 80 MB for good.",
    ),
    Difference(
        "Requests of a peer that has already shut down its sending side",
        "Answers may be lost; `printf 'status\\n' | nc` gets its answer about every second time.",
        "Everything received before the half-close is answered, then the connection is closed. Over TLS, which knows "
        "no half-close, what can be said within 0.1 s.",
        "Monitoring scripts that pipe into netcat.",
        "A FIN says that no more will be asked, not that nobody listens.",
        alone=("admin-half-closed", "admin-half-closed-binary"),
    ),
]

LIMITS = [
    Difference(
        "Unique ids of 64 bytes",
        "Accepted but stored cut to 63: they never coalesce, and JOB_ASSIGN_UNIQ carries a NUL too many.",
        "64 bytes work like any other length.",
        "Users of SHA-256 in hexadecimal as unique id.",
        "A length that is accepted has to work.",
        exchanges=each("unique-64", 2, 4, 5, 6),
    ),
    Difference(
        "Unique ids over 64 bytes in reduce jobs",
        "Not checked; the assignment then discloses memory of the server.",
        "ERROR `ARGUMENT_TOO_LARGE`, `Unique value too large`, as for all other submits.",
        "Nobody who relied on documented limits.",
        "Memory safety.",
        exchanges=("reduce-unique-65.1",),
    ),
    Difference(
        "GET_STATUS and GET_STATUS_UNIQUE with 64 and more bytes of handle or id",
        "No answer; the connection is closed, at once or at some later time.",
        "STATUS_RES / STATUS_RES_UNIQUE saying that it is unknown. An id of 64 bytes is looked up.",
        "Clients that wait for the answer.",
        "Every question gets an answer, and clients match answers by order.",
        exchanges=("handle-64-get-status.1", "unique-65-get-status.1"),
    ),
    Difference(
        "Numbers beyond 64 bits in SUBMIT_JOB_EPOCH and CAN_DO_TIMEOUT",
        "No answer, the connection is closed at once or later; CAN_DO_TIMEOUT may crash 1.1.20.",
        "ERROR `ARGUMENT_TOO_LARGE`.",
        "Clients with a broken clock.",
        "As above.",
        exchanges=("epoch-number-out-of-range.1",),
        alone=("timeout-number-out-of-range",),
    ),
    Difference(
        "WORK_STATUS with a denominator of 12 and more characters",
        "Not forwarded; the worker's connection is closed, at once or later.",
        "Forwarded as the worker wrote it.",
        "Workers that count in very small steps.",
        "The text is the worker's and the client's affair.",
        exchanges=("status-denominator-12.4",),
    ),
    Difference(
        "`--job-handle-prefix` of more than 42 bytes",
        "Up to 63 bytes start; handles are cut as soon as the number no longer fits, and jobs then share one.",
        "The start is refused. A default prefix, made of the host's name, is cut instead.",
        "Who sets a long prefix.",
        "Numbers never repeat: up to 20 digits and a colon have to fit into the 63 bytes that clients keep.",
    ),
]

WORKERS = [
    Difference(
        "Repeated CAN_DO of one function",
        "Each one adds a record: `status` counts the worker again, `workers` prints the name again.",
        "The ability moves to the front and counts once.",
        "Dashboards, which now show the number of workers.",
        "A worker that reconnects its functions is still one worker.",
        exchanges=each("can-do-repeated", 2, 4),
    ),
    Difference(
        "Job choice of a worker with several functions",
        "1.1.20: function by function (newest first), priorities only inside one. 2.0: as gearfast.",
        "Priority over all functions first, then newest function first, in turn (`--round-robin` is always on); "
        "`workers` shows the newest first.",
        "Workers with several functions, coming from 1.1.",
        "gearmand 2.0 does so: a HIGH job is more urgent than a NORMAL one, whatever its function.",
        exchanges=(
            *each("order-rotates", 7, 8),
            *each("order-priority-over-functions", 5, 6, 7),
        ),
    ),
    Difference(
        "Workers woken per job",
        "All sleeping workers of the function (`--worker-wakeup=0`).",
        "One; if it has not grabbed within 50 ms, the next one. `--worker-wakeup=N` as stock, `=all` for stock's 0.",
        "Nobody in what they get; servers with many workers in what it costs.",
        "With 1,000 sleepers stock spends some 15 ms on every job to tell 999 workers that there is none for them.",
        exchanges=("wake-one.3",),
        alone=("wake-next-when-one-does-not-grab",),
    ),
    Difference(
        "A worker that answers NOOP with PRE_SLEEP instead of a grab",
        "Is never woken again until it grabs.",
        "Is woken by the next job.",
        "python-gearman with several servers.",
        "It says that it sleeps; that is what counts.",
        exchanges=("noop-then-pre-sleep.6",),
    ),
    Difference(
        "Late results for a job that the worker held and lost (requeued, timed out)",
        "ERROR `JOB_NOT_FOUND`.",
        "The first result counts, whoever held the job, as long as the job has not ended; what another one says of it "
        "later is swallowed. Results for a handle the worker never held still get JOB_NOT_FOUND.",
        "Workers whose jobs take longer than their CAN_DO_TIMEOUT; PHP and Perl workers, which end at an unexpected "
        "ERROR.",
        "A job that always takes longer would be run again for ever, and its client would wait for ever; the worker "
        "did nothing wrong and cannot do anything about it.",
        exchanges=(
            *each("requeue-cant-do", 8, 9, 10, 11),
            *each("requeue-reset-abilities", 8, 9, 10, 11),
            *each("timeout-requeues", 9, 10),
        ),
    ),
    Difference(
        "A sleeping worker that gives up the function of a job it still runs",
        "Is woken for that very job, which it cannot have any more.",
        "Sleeps on.",
        "Nobody.",
        "There is nothing to be had.",
        exchanges=("requeue-own-sleep.3",),
    ),
    Difference(
        "Job timeout (CAN_DO_TIMEOUT)",
        "One timer per connection: a second job overwrites it, completion leaves it running, PRE_SLEEP deletes it.",
        "One deadline per running job, cancelled when the job ends. Milliseconds, at least 1000, as stock; seconds "
        "with `--timeout-unit=s`.",
        "Workers that run several jobs at once.",
        "Stock's stray timer corrupts its counters and its memory.",
    ),
]

JOBS = [
    Difference(
        "WORK_EXCEPTION to a client without the option `exceptions`",
        "WORK_FAIL with a NUL behind the handle.",
        "WORK_FAIL with the bare handle.",
        "Perl clients, which die of stock's form.",
        "It is what WORK_FAIL looks like otherwise.",
        exchanges=("exception-not-wanted.3", "exception-two-clients.5"),
    ),
    Difference(
        "WORK_FAIL behind WORK_EXCEPTION for the same job",
        "ERROR `JOB_NOT_FOUND`.",
        "Swallowed.",
        "Perl workers, which send both and die of the ERROR.",
        "They were written for a server where an exception does not end the job.",
        exchanges=("exception-then-fail.5",),
    ),
    Difference(
        "Delayed jobs (SUBMIT_JOB_EPOCH) before they are due",
        "Wake workers for nothing; in 1.1.20 they also block LOW jobs behind them.",
        "Are in nobody's way.",
        "Users of delayed jobs.",
        "A job that cannot be had is no work.",
        exchanges=("epoch-wakes-nobody-early.2", "epoch-blocks-no-low-job.3"),
    ),
    Difference(
        "Delayed jobs that become due",
        "1.1.20 wakes nobody: the job waits for some other event. 2.0 wakes workers.",
        "A worker is woken within 10 ms.",
        "Users of delayed jobs, coming from 1.1.",
        "That is what the time is given for.",
        alone=("epoch-due",),
    ),
    Difference(
        "A queued job whose last foreground client has left",
        "Stays in the queue, in all counters and under its handle until a worker looks at it.",
        "Leaves the queue at once.",
        "Dashboards, and queues with a limit.",
        "Nobody is going to run it.",
        exchanges=each("abandoned-in-queue", 3, 4, 5),
    ),
    Difference(
        "A submit with the unique id of an abandoned job",
        "Is attached to the abandoned job and lost with it; on a running one it gets a result of the earlier submit.",
        "Is a new job. The abandoned running job ends by itself.",
        "Web requests that are repeated after a time-out.",
        "JOB_CREATED promises that the job will be run.",
        exchanges=(
            *each("abandoned-submitted-again", 3, 4),
            *each("abandoned-running-submitted-again", 4, 5, 6),
        ),
    ),
    Difference(
        "A running job that has lost its last client and then its worker",
        "Goes back into the queue and its counters, to be thrown away at the next grab.",
        "Is dropped at once.",
        "Dashboards.",
        "As above.",
        exchanges=("abandoned-by-both.5",),
    ),
    Difference(
        "A background job to which a foreground client was attached and left",
        "Loses its background status: it is thrown away, and comes back from the store at the next start.",
        "Stays a background job and is run.",
        "Who mixes both with one unique id.",
        "A job taken into the background must not get lost.",
        exchanges=each("coalesce-background-keeps-status", 4, 5),
    ),
    Difference(
        "A background submit with the unique id of a waiting foreground job",
        "Does not keep the job alive when the foreground client leaves.",
        "Makes it a background job, which is run in any case.",
        "Who mixes both with one unique id.",
        "JOB_CREATED promises that the job will be run.",
        exchanges=each("coalesce-background-kept", 5, 6),
    ),
    Difference(
        "`cancel job`",
        "Marks the job; it stays in counters and under its handle, and a running one still reports to its clients.",
        "Removes the job now, queued, delayed or running. Clients get WORK_FAIL, late results are swallowed.",
        "Dashboards; clients that saw WORK_FAIL and then WORK_COMPLETE.",
        "Cancelled means gone.",
        exchanges=(
            *each("cancel-queued", 4, 5, 6, 7),
            *each("cancel-running", 4, 5, 6),
            "cancel-delayed.3",
        ),
    ),
    Difference(
        "A submit with the unique id of a cancelled job",
        "Is attached to the cancelled job and lost.",
        "Is a new job.",
        "Who cancels a job to submit it anew.",
        "JOB_CREATED promises that the job will be run.",
        exchanges=each("cancel-then-submit-again", 3, 4),
    ),
]

ADMIN = [
    Difference(
        "`create function NAME` with a bare LF",
        "Cuts the last character of the name.",
        "Works with LF and CRLF.",
        "People with netcat.",
        "All other commands take both.",
        exchanges=("admin-create-function-lf.2",),
    ),
    Difference(
        "`create function ` with an empty name",
        "The server crashes.",
        "`OK`.",
        "Nobody but an attacker.",
        "One line must not end a server.",
        alone=("admin-create-function-empty",),
    ),
    Difference(
        "`help`, `show memory`, `show threads`, `show delayed`, `show job`, `run now`, `move`, `show schedules`, "
        "`cancel schedule`, `buried`, `kick`, `purge`, `delete job`, `policy`, `pause`, `drain`, `resume`, "
        "`show functions`, and commands that plugins add",
        "`ERR UNKNOWN_COMMAND ...`, `ERR UNKNOWN_SHOW_ARGUMENTS`.",
        "An answer; `help` lists all commands.",
        "Who sends them to see them refused.",
        "A person who types wants to know what there is.",
    ),
    Difference(
        "`drop function` while jobs are queued",
        "`OK`; the jobs dangle, and later use freed memory.",
        "`ERR there are still connected workers or executing clients`.",
        "Who drops functions to empty them: cancel the jobs first.",
        "Memory safety; and jobs must not get lost by a slip.",
        alone=("admin-drop-function-with-jobs",),
    ),
    Difference(
        "Control characters in names, and a unique id that is a dot, in `status`, `prioritystatus`, `workers` and "
        "`show unique jobs`",
        "Stand there as they came: a function named `f\\n.\\nrest` ends the table.",
        "Are written as `\\x0a`, a tab in a name as `\\x09`, that dot as `\\x2e`. All other bytes stay.",
        "Who has such names, and looks for them there. Packets carry them as they are.",
        "A line tells of one thing, and a table ends at its end, whoever chose the names in it.",
        exchanges=(*each("admin-names", 3, 4, 5, 6), "admin-unique-dot.2"),
    ),
    Difference(
        "A line with a NUL in a word",
        "The word ends at the NUL: `version`, a NUL and anything is `version`.",
        "The NUL belongs to the word, which is unknown then.",
        "Nobody.",
        "What is not a command is not guessed at.",
    ),
    Difference(
        "IPv6 addresses in `workers` and in the log",
        "Cut: `::1` is shown as `::`.",
        "Shown whole.",
        "Readers of both.",
        "An address that is not one helps nobody.",
    ),
    Difference(
        "Order of lines in `status`, `show jobs` and the like",
        "That of the buckets of its hash tables.",
        "Not that one.",
        "No client is known to depend on it.",
        "Tables that grow have no fixed buckets.",
    ),
]

PROCESS = [
    Difference(
        "`--ssl`",
        "Debian's 1.1.20 accepts it and serves plain text; 2.0 spins on a stalled handshake and starts with bad files.",
        "TLS 1.2 and 1.3; bad files refuse the start; a stalled handshake times out and hurts nobody. "
        "`--ssl-verify-client` asks for certificates.",
        "Who believes to be encrypted.",
        "An option about security does what it says or refuses.",
    ),
    Difference(
        "`--ssl-certificate`, `--ssl-key`, `--ssl-ca-file` without `--ssl`",
        "Taken, and plain text is served.",
        "Refused: `--ssl-certificate needs --ssl`.",
        "Who forgot `--ssl`, and believes to be encrypted.",
        "As above.",
    ),
    Difference(
        "A busy port",
        "Tried again for 22 seconds; with `--daemon` the parent has already said that all is well.",
        "Refused at once with one line and exit code 1, also by the parent of `--daemon`.",
        "Scripts that start the server.",
        "An exit code tells the truth.",
    ),
    Difference(
        "`GEARMAND_PORT=tcp://10.0.0.1:4730` in the environment",
        "The start fails.",
        "Ignored with a warning.",
        "Kubernetes, which sets it for a service named gearmand.",
        "It was not meant for the server.",
    ),
    Difference(
        "The pid file",
        "Written before the bind, always removed at the end: a second server that fails takes the first one's away.",
        "Written when the server listens, and removed only if it still holds its own process id.",
        "Scripts that stop the server by its pid file.",
        "The file of a server that runs must stay true.",
    ),
    Difference(
        "The mode of the pid file",
        "0744, minus the umask: a program for its owner.",
        "0644, minus the umask.",
        "Nobody.",
        "A number is not to be executed.",
    ),
    Difference(
        "A file given with `--log-file` that cannot be opened",
        "A line on stderr, and the log goes there; with `--daemon` that is nowhere.",
        "One line and exit code 1. Stock's default file is given up for stderr, as in stock.",
        "Who mistypes a path, or starts as the wrong user.",
        "A log that was asked for and is not written is noticed when it is needed.",
    ),
    Difference(
        "`--check-args`",
        "Reads the options only: it accepts `--queue-type=bogus`, with which no start succeeds.",
        "Refuses also what the start would refuse of the options' values, in the same words.",
        "Scripts that check before they restart.",
        "A check is worth what it finds.",
    ),
    Difference(
        "A `--config-file` that cannot be opened",
        "`Could not open configuration file.`",
        "The same line goes on with the path and the reason: `(/etc/g.conf: Permission denied)`.",
        "Who compares whole lines.",
        "It says what to do about it.",
    ),
    Difference(
        "Words in the config file that are no options, such as `port=4731`",
        "Passed over without a word.",
        "Passed over, and warned of with file and line, by `--check-args` too; not behind a `#`. Options behind a `#`"
        " count, as in stock, and are warned of.",
        "Who forgets the dashes, or comments an option out.",
        "A setting that does nothing is noticed when it is needed.",
    ),
    Difference(
        "Shortened names of options in the config file",
        "Any beginning of a name that is clear.",
        "The same for stock's options. Those of gearfast's own are written in full, and make none of stock's unclear:"
        " `--store` with a value is gearfast's, by itself it is short for `--store-queue-on-shutdown`.",
        "Nobody.",
        "A file that stock reads means the same here, and will with later versions.",
    ),
    Difference(
        "ERROR packets in the log",
        "2.0 writes an ERROR line for each of them.",
        "One WARNING for the first one of each connection; the same line again within 10 s is counted, as below.",
        "Who counts them in the log.",
        "A mistake of a peer is none of the server's, and no peer may fill the disk.",
    ),
    Difference(
        "A log that is not read: a full pipe, a stopped terminal, a disk or a syslog that hangs",
        "The thread that logs stands still, and with it those it serves.",
        "Lines wait, up to 16 MiB; those that come then are counted, and their number is logged when there is room. "
        "The end waits a second for what is left.",
        "Who lets a log stand for long.",
        "Nobody's work may depend on who reads the log.",
    ),
    Difference(
        "The same line at WARNING or above, again and again",
        "Is written each time.",
        "Is written once (up to five times when others come between), then counted: "
        "`the same line 12 times more within 10 s: ...`. Lines below WARNING, such as `accepted,...`, are all written.",
        "Who counts such lines.",
        "A fault that comes in every turn of a loop fills the disk within the hour.",
    ),
    Difference(
        "Control characters in names, and bytes that are no UTF-8, in the log and in syslog",
        "Stand there as they came: a line feed begins a line that nobody said.",
        "Are written as escapes: `\\n`, `\\x1b`, `\\u202e`. UTF-8 text stays as it is, and so do backslashes.",
        "Who looks for such names in the log.",
        "A line of the log is what the server says, whoever chose the names in it.",
    ),
    Difference(
        "`--log-file=/dev/stdout`, `/dev/stderr`, `/dev/fd/N`, and links to them",
        "Are opened by their path, which a socket (under systemd or node) and another user's pipe do not allow; "
        "SIGHUP opens them again.",
        "Stand for the open descriptor, with `--daemon` too. SIGHUP leaves it as it is.",
        "Images for containers.",
        "Every start that is meant to work is made.",
    ),
    Difference(
        "SIGHUP with `--ssl`",
        "Goes on with the files of the start.",
        "Reads the TLS files again, for new connections; files that cannot be used change nothing.",
        "Who renews certificates, without a restart.",
        "Certificates live for some weeks, and servers for longer.",
    ),
    Difference(
        "`-> file:line` behind the lines of the log",
        "Stands there on every level but INFO.",
        "Does not.",
        "Patterns that match whole lines.",
        "It would name places in another program's source.",
    ),
    Difference(
        "A peer that does not read its answers",
        "Everything is kept in memory, without a limit.",
        "Its requests are no longer read above 1 MiB of unread answers; above 64 MiB it is cut off.",
        "Clients that are stopped in a debugger for long.",
        "One peer must not take the memory of all.",
    ),
    Difference(
        "SUBMIT_JOB_SCHED",
        "ERROR `INVALID_COMMAND`.",
        "JOB_CREATED with the handle of a schedule: a job is queued at each of its times. A field that cannot be is "
        "answered with ERROR `INVALID_PARAMETER`.",
        "Nobody: what is refused by stock is not sent.",
        "The packet is in the protocol, and its five fields say what is wanted.",
        exchanges=each("submit-sched", 1, 2),
    ),
    Difference(
        "A submit whose function's name has a semicolon",
        "It is a name like any other.",
        "What stands behind it is read as submit parameters (`f;delay=20m` is a job for `f`), unless the name is in "
        "use as it is; a mistake is answered with ERROR `INVALID_PARAMETER`. `--submit-parameters=no` does as stock.",
        "Who submits jobs for such a name before any worker has registered it.",
        "Clients whose libraries know no delays have them.",
        exchanges=("name-with-parameters.4", "name-with-parameters.5"),
    ),
    Difference(
        "No descriptors left",
        "Burns a processor until one is free; new connections wait, admin lines included.",
        "The last 24 are kept: a connection that comes then is closed, a question is answered with ERROR "
        "`TOO_MANY_CONNECTIONS`, and admin lines are answered. Connected peers notice nothing. `--max-connections` and "
        "`--max-connections-per-address` do the same with fewer.",
        "Servers under a storm of connections; clients that waited go on to their next server.",
        "Somebody has to be able to look, logs and stores need descriptors too, and nothing is won by spinning.",
    ),
    Difference(
        "Peers that vanish without a word",
        "The system's TCP keepalive: noticed after two hours. 1.1.20 does not apply `--keepalive-idle`, "
        "`--keepalive-interval` and `--keepalive-count` to its peers.",
        "Noticed after two minutes: 60 s, 15 s and 4 probes unless these options say otherwise; -1 is the system's "
        "figure.",
        "Who pays for a probe per minute and idle connection.",
        "So long the job of a worker whose machine lost its power is nobody's.",
    ),
    Difference(
        "A packet that is left unfinished",
        "Its connection stays for ever.",
        "It is closed after 60 s without a further byte; `--idle-packet-timeout` says otherwise.",
        "Clients that are stopped in a debugger in the middle of a packet.",
        "What has come of it takes memory.",
    ),
    Difference(
        "`--job-retries`",
        "1.1.20: 0 (default) is unlimited. 2.0: -1 (default) is unlimited, 0 means none.",
        "As 2.0.",
        "Who sets 0 explicitly, coming from 1.1.",
        "Follows 2.0.",
    ),
    Difference(
        "`--threads`",
        "Threads that read and write, 4 unless told otherwise; one more does all the work.",
        "The most threads that serve connections while one of them is saturated; else one serves them. "
        "`--io-threads=N` says how many there always are.",
        "Nobody.",
        "One thread does more than four did; more of them share all of the work.",
    ),
    Difference(
        "`--hashtable-buckets`, `--coredump`, `--round-robin`",
        "Tune the server.",
        "Accepted, without a meaning.",
        "Nobody.",
        "Tables grow by themselves, there is no crash handler, and round robin is always on.",
    ),
    Difference(
        "SIGHUP while the log goes to stderr or nowhere",
        "Creates a file named `stderr` or `none` in the working directory.",
        "Creates nothing.",
        "Nobody.",
        "An oversight.",
    ),
    Difference(
        "Graceful shutdown (SIGUSR1) behind the last background job",
        "May wait for the next packet of any peer.",
        "Ends when the last job has ended.",
        "Rolling restarts.",
        "An oversight.",
    ),
    Difference(
        "Graceful shutdown (SIGUSR1) with a store",
        "Waits for every job, also for one that is due in 2100, and for one that no worker does.",
        "Waits for running jobs and for foreground ones; hands out nothing else, and leaves the others to the store. "
        "`--drain-timeout` ends it, with a store or without one. The log says what is waited for.",
        "Rolling restarts.",
        "What is safe in the store is there for the next server.",
    ),
    Difference(
        "SIGTERM or SIGINT while the store is unavailable",
        "Ends at once.",
        "Tries to write what is left: for 5 s, or for 60 if jobs would be lost that were acknowledged. A second signal "
        "ends it at once, with exit code 1 and a line that says what is not written.",
        "Who stops a server whose disk or database hangs.",
        "What was acknowledged is not given up lightly.",
    ),
]

DURABLE = [
    Difference(
        "JOB_CREATED of a job that is stored",
        "Sent when its row is written, one transaction for each job; nobody is served meanwhile.",
        "Sent when the batch it belongs to is written; other connections are served meanwhile.",
        "Nobody in what they get; servers with a store in what it costs.",
        "A disk that is waited for once can have written a thousand jobs.",
    ),
    Difference(
        "Handles after a restart",
        "Stored jobs get new ones; whoever asks by the old one is told that it is unknown, or about another job.",
        "Stored jobs keep theirs, and a number is never used twice.",
        "Clients that remember handles.",
        "JOB_CREATED promises a handle by which to ask.",
    ),
    Difference(
        "Stored jobs with an empty unique id, or with `-`",
        "Share one row of each function: the last one is kept, or (MySQL, Postgres) the others get `QUEUE_ERROR`.",
        "Each is kept.",
        "Clients that give no unique id.",
        "JOB_CREATED promises that the job will be run.",
    ),
    Difference(
        "What comes back from the store",
        "Postgres: every job as HIGH and due at once. Redis: payloads up to their first NUL, and 1.1.20 cuts function "
        "names at a hyphen; delayed jobs are refused. SQLite: an empty payload makes the next start fail.",
        "Every job as it was: function, unique id, priority, payload, due time, attempts.",
        "Nobody who counted on it.",
        "A store is to give back what it was given.",
    ),
    Difference(
        "A row that cannot be read at the start",
        "The server ends with exit code 1 (SQLite, MySQL, Postgres) until somebody deletes it.",
        "It is named in the log and stays where it is; everything else is served.",
        "Operators of a server that was damaged once.",
        "One bad job must not keep all others from being run.",
    ),
    Difference(
        "A database that goes away",
        "The server stands still or answers `QUEUE_ERROR` to all; 1.1.20 never connects to Postgres or Redis again.",
        "Submits wait up to `--store-timeout`, then get `QUEUE_ERROR`; work on jobs that are there goes on, and the "
        "store connects again by itself.",
        "Who restarts databases.",
        "Databases are restarted.",
    ),
    Difference(
        "MySQL's option files (`/etc/my.cnf`, `~/.my.cnf`)",
        "Give the socket, the user, the database, and what belongs to TLS; stock's own defaults hide the host, the port"
        " and the password in them.",
        "Give all of these where an option was not given. What they ask of TLS is kept to, or refused.",
        "Who has such a file for another server: `--mysql-host=localhost` goes before it.",
        "What a file says is meant.",
    ),
    Difference(
        "A parameter in `--libpq-conninfo`, in a service or in the environment that asks for a safety which the driver"
        " cannot give, such as `channel_binding=require`",
        "libpq keeps to it.",
        "Refused at the start, and by `--check-args`, with what to do. What changes nothing is left out.",
        "Who asks for it.",
        "An option about security does what it says or refuses.",
    ),
    Difference(
        "One job that the store does not take, or hangs over",
        "`QUEUE_ERROR`; nobody is served while it is tried.",
        "Tried again until `--store-timeout` is over, then `QUEUE_ERROR`; at once where SQLite or Redis has no room "
        "for it; nobody else waits.",
        "Nobody.",
        "One client's job is no other client's trouble.",
    ),
    Difference(
        "The SQLite file is deleted while the server runs",
        "`QUEUE_ERROR` to every submit until a restart, which loses all jobs.",
        "The file is made anew, and all jobs are written again; so with tables that are dropped, and Redis's keys.",
        "Operators who mistook the file.",
        "The server still has every job.",
    ),
    Difference(
        "A new SQLite file",
        "Can be read by everybody, under the usual umask.",
        "Can be read by the server's user only; one that is there keeps its mode.",
        "Who reads it as another user.",
        "Payloads are private.",
    ),
    Difference(
        "`--store-queue-on-shutdown`",
        "Only with libsqlite3, and without effect and without a word elsewhere. 1.1.20 deletes rows while it runs.",
        "With any store; without one it is warned of. Nothing is written while the server runs.",
        "Nobody.",
        "An option that is accepted does what it says.",
    ),
    Difference(
        "`--queue-type=libmemcached`, `libtokyocabinet`, `libdrizzle`",
        "Keep jobs there (Debian's 1.1.20 has only the first).",
        "Refused, with a line that says what to use.",
        "Who uses them.",
        "memcached drops what it has no room for, and nothing of it survives its end: no place for a promise.",
    ),
]

SECTIONS = {
    "Framing": FRAMING,
    "Limits": LIMITS,
    "Workers": WORKERS,
    "Jobs": JOBS,
    "Admin commands": ADMIN,
    "Durable queues": DURABLE,
    "Process": PROCESS,
}

DIFFERENCES = [difference for section in SECTIONS.values() for difference in section]

HEAD = """\
# Where gearfast differs from gearmand

gearfast answers as gearmand does, byte for byte, but for what is listed here. *Stock* is Debian's gearmand 1.1.20,
and 2.0 where it is named; where the two differ gearfast follows 2.0. The tests play the same bytes against both
servers and accept no other difference than these.

This file is written by `python -m tests.differential.differences`; the table is in `tests/differential/differences.py`.

| what | stock | gearfast | who is affected | reason |
|---|---|---|---|---|
"""


def render() -> str:
    """The document."""
    lines = []
    for title, section in SECTIONS.items():
        lines.append(f"| **{title}** | | | | |")
        for row in section:
            cells = (row.subject, row.stock, row.gearfast, row.affected, row.reason)
            lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return HEAD + "\n".join(lines) + "\n"


if __name__ == "__main__":
    DOCUMENT.write_text(render(), encoding="utf-8")
