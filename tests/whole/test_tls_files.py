"""TLS while time goes by: certificates that expire, files that are replaced; and peers that are told why not."""

from __future__ import annotations

import datetime
import shutil
import signal
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from gearfast.server.certificate import certificates_of
from tests.support import wire
from tests.support.loglines import said
from tests.support.peers import Server, start_gearfast, until
from tests.support.processes import settled_log_of
from tests.support.wire import Connection
from tests.whole.test_tls import Files, Pki, await_listening, connect, context, issue, options
from tests.whole.test_tls import pki as pki


def await_said(server: Server, words: str, times: int = 1) -> str:
    """Wait until the log says something; return the last line that does."""
    until(lambda: sum(words in line for line in said(server)) >= times, f"the log says {words}")
    return [line for line in said(server) if words in line][-1]


# --- SIGHUP ------------------------------------------------------------------------------


def put(files: Files, folder: Path) -> None:
    """Make these the server's certificate and key."""
    shutil.copy(files.certificate, folder / "server.pem")
    shutil.copy(files.key, folder / "server.key")


def serial_of(peer: Connection) -> int:
    """The number of the certificate that the server has shown."""
    assert isinstance(peer.sock, ssl.SSLSocket)
    shown = peer.sock.getpeercert(binary_form=True)
    assert shown is not None
    return x509.load_der_x509_certificate(shown).serial_number


def test_sighup_reads_the_files_again(pki: Pki, tmp_path: Path) -> None:
    """New connections get the new certificate, old ones go on; a bad file changes nothing and is named."""
    renewed = issue(tmp_path, "renewed", pki.authority)
    put(pki.server, tmp_path)
    words = ["--ssl", f"--ssl-certificate={tmp_path}/server.pem", f"--ssl-key={tmp_path}/server.key"]
    with start_gearfast(*words, "--verbose=NOTICE", ready=False) as server:
        await_listening(server)
        with connect(server, context(pki)) as before:
            assert serial_of(before) == pki.server.issued.serial_number
            (tmp_path / "server.pem").write_text("nothing")
            server.process.send_signal(signal.SIGHUP)
            complaint = await_said(server, "could not be read again")
            assert f"{tmp_path}/server.pem and {tmp_path}/server.key are not a certificate and its key" in complaint
            with connect(server, context(pki)) as unchanged:
                assert serial_of(unchanged) == pki.server.issued.serial_number
            put(renewed, tmp_path)
            server.process.send_signal(signal.SIGHUP)
            await_said(server, "The TLS files were read again")
            with connect(server, context(pki)) as after:
                assert serial_of(after) == renewed.issued.serial_number
                assert after.sync() == b""
            assert before.sync() == b""


def test_sighup_reads_the_authority_again(pki: Pki, tmp_path: Path) -> None:
    """Who is let in changes with it."""
    shutil.copy(pki.stranger.certificate, tmp_path / "ca.pem")
    verify = ["--ssl-verify-client", f"--ssl-ca-file={tmp_path}/ca.pem", "--verbose=NOTICE"]
    with start_gearfast(*options(pki), *verify, ready=False) as server:
        await_listening(server)
        assert "UNKNOWN_CA" in refusal(server, context(pki, own=pki.client))
        shutil.copy(pki.authority.certificate, tmp_path / "ca.pem")
        server.process.send_signal(signal.SIGHUP)
        await_said(server, "The TLS files were read again")
        with connect(server, context(pki, own=pki.client)) as peer:
            assert peer.sync() == b""


def test_sighup_without_tls_says_nothing_of_it() -> None:
    with start_gearfast("--verbose=DEBUG") as server:
        server.process.send_signal(signal.SIGHUP)
        await_said(server, "SIGHUP, reopening log file")
        with server.connect() as peer:
            assert peer.sync() == b""
        assert "TLS" not in settled_log_of(server)


# --- dates -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("begins", "ends", "words"),
    [
        (-9, -2, "expired on {ends} UTC: peers that check it refuse to connect"),
        (-9, 13.5, "expires on {ends} UTC, within 14 days"),
        (-9, 0.5, "expires on {ends} UTC, within 1 day"),
        (2, 60, "is not valid before {begins} UTC: is this machine's clock right?"),
        (-9, 15, ""),
    ],
)
def test_certificates_that_peers_will_not_take_are_warned_of(
    pki: Pki, tmp_path: Path, begins: float, ends: float, words: str
) -> None:
    """At the start and after each SIGHUP, without --verbose; the server serves all the same."""
    own = issue(tmp_path, "server", pki.authority, begins=begins, ends=ends)
    files = ["--ssl", f"--ssl-certificate={own.certificate}", f"--ssl-key={own.key}"]
    careless = context(pki)
    careless.check_hostname = False
    careless.verify_mode = ssl.CERT_NONE
    with start_gearfast(*files, ready=False) as server:
        await_listening(server)
        with connect(server, careless) as peer:
            assert peer.sync() == b""
        if not words:
            assert said(server) == []
            return
        dates = {"begins": own.issued.not_valid_before_utc, "ends": own.issued.not_valid_after_utc}
        told = words.format(**{name: f"{date:%Y-%m-%d %H:%M}" for name, date in dates.items()})
        line = await_said(server, "TLS: ")
        assert line == f"TLS: The certificate in {own.certificate} {told}. Put a new one there, then send SIGHUP"


def test_every_certificate_of_a_file_and_the_authoritys_are_looked_at(pki: Pki, tmp_path: Path) -> None:
    old = issue(tmp_path, "old", ends=-0.5)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(
        pki.server.certificate.read_bytes() + b"# the one that signed it\n" + old.certificate.read_bytes()
    )
    words = ["--ssl", f"--ssl-certificate={chain}", f"--ssl-key={pki.server.key}", f"--ssl-ca-file={old.certificate}"]
    with start_gearfast(*words, ready=False) as server:
        await_listening(server)
        until(lambda: len(said(server)) == 2, "it has said both")
        first, second = said(server)
        assert first.startswith(f"TLS: Certificate 2 in {chain} expired on ")
        assert second.startswith(f"TLS: The certificate in {old.certificate} expired on ")
        server.process.send_signal(signal.SIGHUP)
        until(lambda: said(server) == [first, second] * 2, "it has said both again")


@pytest.mark.parametrize("begins", ["1950-01-01", "1999-12-31", "2000-01-01", "2026-02-28", "2049-12-31"])
@pytest.mark.parametrize("ends", ["2049-12-31", "2050-01-01", "9999-12-31"])
def test_dates_are_those_that_were_written(tmp_path: Path, begins: str, ends: str) -> None:
    """Times have two digits of the year up to 2049, and four from then on."""
    now = datetime.datetime.now(datetime.UTC)
    dates = [datetime.datetime.fromisoformat(f"{day}T12:34:56+00:00") for day in (begins, ends)]
    days = [(date - now) / datetime.timedelta(days=1) for date in dates]
    made = issue(tmp_path, "any", begins=days[0], ends=days[1])
    (found,) = certificates_of(str(made.certificate))
    assert found == (made.issued.not_valid_before_utc, made.issued.not_valid_after_utc)


def test_what_is_no_certificate_is_passed_over(pki: Pki, tmp_path: Path) -> None:
    path = tmp_path / "file"
    whole = pki.server.issued.public_bytes(serialization.Encoding.DER)
    for size in range(0, len(whole), 7):
        path.write_text(ssl.DER_cert_to_PEM_cert(whole[:size]))
        certificates_of(str(path))
    path.write_bytes(
        b"\xff-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n" + pki.server.certificate.read_bytes()
    )
    assert len(certificates_of(str(path))) == 1


# --- who is refused ----------------------------------------------------------------------


def refusal(server: Server, wanted: ssl.SSLContext) -> str:
    """What the library of a refused peer says; with TLS 1.3 it learns of it only when it reads."""
    with pytest.raises(ssl.SSLError) as refused, connect(server, wanted) as peer:
        peer.sync()
    return refused.value.reason


def test_refused_peers_are_told_why(pki: Pki) -> None:
    """By a TLS alert; without one they would see a connection that breaks off."""
    verify = ["--ssl-verify-client", f"--ssl-ca-file={pki.authority.certificate}"]
    with start_gearfast(*options(pki), *verify, ready=False) as server:
        await_listening(server)
        both = [context(pki, version) for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)]
        assert "ALERT_HANDSHAKE_FAILURE" in refusal(server, both[0])
        assert "ALERT_CERTIFICATE_REQUIRED" in refusal(server, both[1])
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            assert "ALERT_UNKNOWN_CA" in refusal(server, context(pki, version, pki.stranger))
        old = context(pki)
        with pytest.warns(DeprecationWarning, match="TLSv1_1"):
            old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        assert "ALERT_PROTOCOL_VERSION" in refusal(server, old)
        with connect(server, context(pki, own=pki.client)) as peer:
            assert peer.sync() == b""


def test_whatever_tls_peers_do_the_log_has_only_lines_of_its_own(pki: Pki) -> None:
    with start_gearfast(*options(pki), "--verbose=DEBUG", ready=False) as server:
        await_listening(server)
        for text in (
            b"version\n",
            b"GET / HTTP/1.1\r\n\r\n",
            wire.request(wire.ECHO_REQ, payload="x"),
            b"\x16\x03\x01",
        ):
            with server.connect() as plain:
                plain.send(text)
                plain.half_close()
                plain.read_to_end()
        with pytest.raises(ssl.SSLError):
            connect(server, ssl.create_default_context())  # it does not trust the authority
        for garbage in (b"\x17\x03\x03\x00\x20" + bytes(32), b"garbage" * 100):
            peer = connect(server, context(pki))
            peer.sync()
            with Connection.__new__(Connection) as raw:  # below TLS, on the same socket
                raw.sock, raw.buffer = socket.socket(fileno=peer.sock.detach()), b""
                raw.sock.settimeout(wire.TIMEOUT)
                raw.send(garbage)
                raw.read_to_end()
        peer = connect(server, context(pki))
        peer.request(wire.ECHO_REQ, payload="x" * (1 << 20))
        peer.reset()
        with connect(server, context(pki)) as last:
            assert last.sync() == b""
        assert server.stop() == 0
        lines = said(server)
        assert sum("no TLS handshake" in line for line in lines) == 5
        assert not [line for line in lines if line.startswith("| ")], "a traceback"
