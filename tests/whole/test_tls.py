"""TLS in front of the same sessions: versions, certificates, and peers that stall in the middle of a handshake."""

from __future__ import annotations

import contextlib
import datetime
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support import wire
from tests.support.embedded import start_embedded
from tests.support.peers import HOST, Server, start_gearfast, until
from tests.support.processes import frozen, log_of, settled_log_of
from tests.support.wire import Connection, Packet

LARGE = bytes(range(256)) * 4096  # 1 MiB
Key = ec.EllipticCurvePrivateKey


@dataclass(frozen=True)
class Files:
    """A certificate and its key as PEM files, and the objects they came from."""

    certificate: Path
    key: Path
    issued: x509.Certificate
    private: Key


def usage(*, signs: bool) -> x509.KeyUsage:
    """What a key may be used for: to sign certificates, or in a handshake."""
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=signs,
        crl_sign=signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def issue(folder: Path, name: str, authority: Files | None = None, *, begins: float = -1, ends: float = 60) -> Files:
    """Make a certificate signed by the authority, or by itself if there is none; its dates are days from now on."""
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    signer = private if authority is None else authority.private
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if authority is None else authority.issued.subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + datetime.timedelta(days=begins))
        .not_valid_after(now + datetime.timedelta(days=ends))
        .add_extension(x509.BasicConstraints(ca=authority is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        # RFC 5280 asks for the identifiers, and CPython 3.13 insists on them
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(private.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .add_extension(usage(signs=authority is None), critical=True)
    )
    issued = builder.sign(signer, hashes.SHA256())
    files = Files(folder / f"{name}.pem", folder / f"{name}.key", issued, private)
    files.certificate.write_bytes(issued.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return files


@dataclass(frozen=True)
class Pki:
    """An authority, what it has signed, and one it has not."""

    authority: Files
    server: Files
    client: Files
    stranger: Files


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    """Certificates for this module."""
    folder = tmp_path_factory.mktemp("pki")
    authority = issue(folder, "authority")
    return Pki(
        authority, issue(folder, "server", authority), issue(folder, "client", authority), issue(folder, "other")
    )


def options(pki: Pki) -> list[str]:
    """The command line for TLS."""
    return ["--ssl", f"--ssl-certificate={pki.server.certificate}", f"--ssl-key={pki.server.key}"]


def await_listening(server: Server) -> Server:
    """Wait until it says so; it does not answer plain text."""
    until(lambda: "listening" in log_of(server) or not server.alive(), "it listens")
    assert server.alive(), log_of(server)
    return server


@pytest.fixture(scope="module")
def server(pki: Pki) -> Iterator[Server]:
    """A TLS server for all tests that need no other; it ends well and has logged no failure."""
    with start_gearfast(*options(pki), ready=False) as started:
        yield await_listening(started)
        assert started.stop() == 0
        assert "Traceback" not in log_of(started)


def context(pki: Pki, version: ssl.TLSVersion | None = None, own: Files | None = None) -> ssl.SSLContext:
    """A client that trusts the authority, speaks this version only, and has this certificate of its own."""
    made = ssl.create_default_context(cafile=str(pki.authority.certificate))
    if version is not None:
        made.minimum_version = made.maximum_version = version
    if own is not None:
        made.load_cert_chain(own.certificate, own.key)
    return made


def connect(server: Server, wanted: ssl.SSLContext) -> Connection:
    """A TLS connection whose certificate is checked."""
    connection = server.connect()
    try:
        connection.sock = wanted.wrap_socket(connection.sock, server_hostname="localhost")
    except BaseException:
        connection.close()
        raise
    return connection


# --- the same protocol -------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=lambda v: v.name)
def test_a_job_over_tls(server: Server, pki: Pki, version: ssl.TLSVersion) -> None:
    """Wake-up, assignment, progress and a large payload and result, over either version."""
    wanted = context(pki, version)
    with connect(server, wanted) as client, connect(server, wanted) as worker:
        assert isinstance(worker.sock, ssl.SSLSocket)
        assert worker.sock.version() == version.name.replace("_", ".")
        worker.request(wire.CAN_DO, version.name)
        worker.request(wire.PRE_SLEEP)
        assert worker.sync() == b""
        handle = client.call(wire.SUBMIT_JOB, version.name, "", payload=LARGE).body
        assert worker.recv_packet().name == "NOOP"
        assert worker.call(wire.GRAB_JOB).args(2) == [handle, version.name.encode(), LARGE]
        worker.request(wire.WORK_STATUS, handle, "1", "2")
        worker.request(wire.WORK_COMPLETE, handle, payload=LARGE[::-1])
        assert client.recv_packet() == Packet(wire.RES, wire.WORK_STATUS, handle + b"\x001\x002")
        assert client.recv_packet() == Packet(wire.RES, wire.WORK_COMPLETE, handle + b"\0" + LARGE[::-1])


def test_text_and_packets_over_tls(server: Server, pki: Pki) -> None:
    with connect(server, context(pki)) as peer:
        peer.send(b"version\n" + wire.request(wire.ECHO_REQ, payload="e") + b"workers\n")
        assert peer.recv_line().startswith(b"OK ")
        assert peer.recv_packet().body == b"e"
        assert f" {HOST} - :".encode() in peer.recv_table()


def test_half_closed_tls_peer_gets_the_whole_answer(server: Server, pki: Pki) -> None:
    """Its close_notify comes with the questions; the answers, many slices of them, still go out."""
    with connect(server, context(pki)) as peer:
        uniques = [f"{number:064}" for number in range(1000)]
        peer.send(b"".join(wire.request(wire.SUBMIT_JOB_BG, "many", unique, payload="") for unique in uniques))
        assert peer.sync().count(b"\0RES\0\0\0\x08") == 1000
        with frozen(server):
            peer.send((b"show unique jobs\n" + wire.request(wire.ECHO_REQ, payload="e")) * 2)
            close_notify(peer)
        answer = b""
        with contextlib.suppress(ssl.SSLZeroReturnError):
            while data := peer.sock.recv(1 << 16):
                answer += data
        questions = answer.split(b".\n" + wire.raw(wire.RES, wire.ECHO_RES, b"e"))
        assert [sorted(lines.decode().split()) for lines in questions] == [uniques] * 2 + [[]]
    assert "has no effect" not in settled_log_of(server)  # what uvloop says to a protocol that would stay


def close_notify(peer: Connection) -> None:
    """Say in TLS's own way that nothing more will be sent."""
    assert isinstance(peer.sock, ssl.SSLSocket)
    peer.sock.setblocking(False)
    with contextlib.suppress(ssl.SSLWantReadError):
        peer.sock.unwrap()
    peer.sock.settimeout(wire.TIMEOUT)


@pytest.mark.parametrize("end", ["close", "reset"])
def test_tls_worker_killed_with_a_job_in_hand(server: Server, pki: Pki, end: str) -> None:
    wanted, function = context(pki), f"killed by {end}"
    with connect(server, wanted) as heir, connect(server, wanted) as client:
        handle = client.call(wire.SUBMIT_JOB_BG, function, "", payload="x").body
        with connect(server, wanted) as victim:
            victim.request(wire.CAN_DO, function)
            assert victim.call(wire.GRAB_JOB).args()[0] == handle
            heir.request(wire.CAN_DO, function)
            heir.request(wire.PRE_SLEEP)
            heir.sync()
            getattr(victim, end)()
        assert heir.recv_packet().name == "NOOP"
        assert heir.call(wire.GRAB_JOB).args()[0] == handle


def test_protocol_error_over_tls_is_told_and_closes(server: Server, pki: Pki) -> None:
    with connect(server, context(pki)) as peer:
        peer.send(wire.raw(wire.REQ, wire.ECHO_REQ, b"", 0xFFFFFFFF))
        assert peer.recv_packet().args()[0] == b"ARGUMENT_TOO_LARGE"
        assert peer.read_to_end() == b""


def test_a_tls_peer_whose_packets_have_come_whole_is_not_waited_for(pki: Pki) -> None:
    """Though the end of one did not fit behind its begin, and was decrypted a turn after it had come."""
    wanted = context(pki)
    files = {"ssl_certificate": str(pki.server.certificate), "ssl_key": str(pki.server.key)}
    with start_embedded(ready=False, ssl=True, receive_buffer=65536, idle_packet_timeout=0.5, **files) as server:
        await_listening(server)
        with connect(server, wanted) as peer, connect(server, wanted) as later:
            packet = wire.request(wire.ECHO_REQ, payload="x" * 60_000)
            peer.send(packet[:20_000])
            assert later.sync() == b""  # by now it has been read
            with frozen(server):
                peer.send(packet[20_000:])
            assert len(peer.recv_packet().body) == 60_000
            later.send(b"stat")
            assert later.closed()  # so the other one has been idle for as long
            assert peer.sync() == b""


def test_tls_client_that_does_not_read_is_cut_off(pki: Pki) -> None:
    """Bounded as over plain TCP, whichever layer the bytes wait in."""
    files = {"ssl_certificate": str(pki.server.certificate), "ssl_key": str(pki.server.key)}
    with start_embedded(ready=False, ssl=True, output_pause=1 << 16, output_limit=1 << 18, **files) as server:
        await_listening(server)
        wanted = context(pki)
        with connect(server, wanted) as deaf, connect(server, wanted) as worker, connect(server, wanted) as witness:
            handle = deaf.call(wire.SUBMIT_JOB, "f", "", payload="x").body
            worker.request(wire.CAN_DO, "f")
            worker.call(wire.GRAB_JOB)
            sent = 0
            while len(witness.table("workers")) == 3:
                worker.request(wire.WORK_DATA, handle, payload=LARGE[: 1 << 16])
                sent += 1
                assert sent < 1000, "nobody was cut off"
            assert worker.sync() == b""


# --- who is let in -----------------------------------------------------------------------


@pytest.mark.parametrize("said", [b"version\n", wire.request(wire.ECHO_REQ, payload="x" * 100), b"\0"])
def test_plaintext_client_is_dropped(server: Server, pki: Pki, said: bytes) -> None:
    with server.connect() as plain, connect(server, context(pki)) as other:
        plain.send(said)
        plain.half_close()
        assert b"OK" not in plain.read_to_end()
        assert other.sync() == b""


def test_tls_1_1_is_refused(server: Server, pki: Pki) -> None:
    old = context(pki)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    old.set_ciphers("DEFAULT:@SECLEVEL=0")
    with pytest.raises((ssl.SSLError, ConnectionResetError)):
        connect(server, old).close()


def test_stalled_handshake_hurts_nobody_and_times_out(pki: Pki) -> None:
    """Stock stops serving TLS altogether after four of these (protocol section 8)."""
    files = {"ssl_certificate": str(pki.server.certificate), "ssl_key": str(pki.server.key)}
    with start_embedded(ready=False, ssl=True, ssl_handshake_timeout=1.0, **files) as server:
        await_listening(server)
        hello = ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            context(pki).wrap_bio(ssl.MemoryBIO(), hello, server_hostname="localhost").do_handshake()
        beginning = hello.read()
        with contextlib.ExitStack() as stack:
            stalled = [stack.enter_context(server.connect()) for _ in range(20)]
            for number, peer in enumerate(stalled):
                peer.send([b"", beginning[:5], beginning[:50], beginning][number % 4])
            with connect(server, context(pki)) as peer:
                assert peer.sync() == b""
                assert len(peer.table("workers")) == len(stalled) + 1
            for peer in stalled:
                peer.read_to_end()
            with connect(server, context(pki)) as peer:
                assert peer.sync() == b""
        until(lambda: log_of(server).count("no TLS handshake") == 20, "it is said")
        assert "Traceback" not in settled_log_of(server)


def test_verified_clients(pki: Pki) -> None:
    """A certificate of the authority gets in; none, or another's, does not."""
    verify = ["--ssl-verify-client", f"--ssl-ca-file={pki.authority.certificate}"]
    with start_gearfast(*options(pki), *verify, ready=False) as server:
        await_listening(server)
        with connect(server, context(pki, own=pki.client)) as peer:
            assert peer.sync() == b""
            for own in (None, pki.stranger):
                for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
                    assert not answers(server, context(pki, version, own))
            assert len(peer.table("workers")) == 1


def answers(server: Server, wanted: ssl.SSLContext) -> bool:
    """Whether this client is served; with TLS 1.3 it learns of a refusal only when it reads."""
    try:
        with connect(server, wanted) as refused:
            refused.sync()
    except (ssl.SSLError, ConnectionError, wire.ClosedError):
        return False
    return True


def test_unix_sockets_stay_plain(pki: Pki, tmp_path: Path) -> None:
    """They do not leave the machine; files' rights guard them."""
    path = tmp_path / "socket"
    with start_gearfast(*options(pki), f"--listen=unix:{path}", ready=False) as server:
        await_listening(server)
        with socket.socket(socket.AF_UNIX) as local:
            local.settimeout(wire.TIMEOUT)
            local.connect(str(path))
            local.sendall(b"version\n")
            assert local.recv(100).startswith(b"OK ")


# --- files -------------------------------------------------------------------------------


def locked(key: Path, copy: Path) -> Path:
    """The same key behind a passphrase, for which no server may ask."""
    private = serialization.load_pem_private_key(key.read_bytes(), None)
    secret = serialization.BestAvailableEncryption(b"secret")
    copy.write_bytes(private.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret))
    return copy


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("missing certificate", "TLS: cannot read {folder}/none.pem: No such file or directory"),
        ("missing key", "TLS: cannot read {folder}/none.key: No such file or directory"),
        ("mismatch", "TLS: {certificate} and {folder}/other.key are not a certificate and its key: KEY_VALUES"),
        ("empty", "TLS: {folder}/empty.pem and {key} are not a certificate and its key: "),
        ("passphrase", "TLS: {folder}/locked.key is protected by a passphrase: remove it with openssl pkey"),
        ("bad authority", "TLS: {folder}/empty.pem is not an authority's PEM file: "),
        ("missing authority", "TLS: cannot read {folder}/none.ca: No such file or directory"),
    ],
)
def test_files_that_cannot_be_used_refuse_the_start(pki: Pki, tmp_path: Path, spoil: str, said: str) -> None:
    """Exit code 1 and one line that names the file; stock starts and lets every handshake fail."""
    (tmp_path / "empty.pem").write_text("nothing")
    (tmp_path / "other.key").write_bytes(pki.stranger.key.read_bytes())
    certificate, key, more = pki.server.certificate, pki.server.key, []
    match spoil:
        case "missing certificate":
            certificate = tmp_path / "none.pem"
        case "missing key":
            key = tmp_path / "none.key"
        case "mismatch":
            key = tmp_path / "other.key"
        case "passphrase":
            key = locked(pki.server.key, tmp_path / "locked.key")
        case "empty":
            certificate = tmp_path / "empty.pem"
        case "bad authority":
            more = [f"--ssl-ca-file={tmp_path}/empty.pem"]
        case "missing authority":
            more = [f"--ssl-ca-file={tmp_path}/none.ca"]
    with start_gearfast("--ssl", f"--ssl-certificate={certificate}", f"--ssl-key={key}", *more, ready=False) as server:
        assert server.process.wait(30) == 1
        (line,) = log_of(server).splitlines()
        expected = said.format(folder=tmp_path, certificate=pki.server.certificate, key=pki.server.key)
        assert line.startswith(f"gearfast: {expected}")


def test_a_tls_peer_that_is_gone_before_it_is_told_something_takes_its_descriptor_along(
    server: Server, pki: Pki
) -> None:
    """A worker is woken, and has reset its connection in the same moment: there is nobody to be told of an end."""
    descriptors = Path(f"/proc/{server.pid}/fd")
    with connect(server, context(pki)) as client:
        until(lambda: len(client.table("workers")) == 1, "nobody else is there")
        before = len(list(descriptors.iterdir()))
        for number in range(10):
            worker = connect(server, context(pki))
            worker.request(wire.CAN_DO, f"gone-{number}")
            worker.request(wire.PRE_SLEEP)
            assert worker.sync() == b""
            with frozen(server):
                client.request(wire.SUBMIT_JOB, f"gone-{number}", "", payload="x")
                worker.reset()
            assert client.recv_packet().name == "JOB_CREATED"
        until(lambda: len(client.table("workers")) == 1, "they have left")
        until(lambda: len(list(descriptors.iterdir())) == before, "their descriptors are free", 5)
    assert "SSLError" not in settled_log_of(server)
