"""TLS as the server offers it (protocol section 8)."""

import datetime
import logging
import re
import ssl

from gearfast.config import CERTIFICATE_NOTICE, Config
from gearfast.errors import ListenError
from gearfast.server.certificate import Certificate, certificates_of

log = logging.getLogger("gearfast")


def server_context(config: Config) -> ssl.SSLContext:
    """Return the context of the three files, or refuse with one line that names the one at fault.

    Certificates that are out of date, or soon will be, are logged. Raises ListenError.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if not config.ssl_certificate or not config.ssl_key:
        raise ListenError("TLS needs --ssl-certificate=FILE and --ssl-key=FILE")
    for path in (config.ssl_certificate, config.ssl_key, config.ssl_ca_file):
        if path:
            readable(path)
    try:
        context.load_cert_chain(config.ssl_certificate, config.ssl_key, lambda: refuse_passphrase(config.ssl_key))
    except (ssl.SSLError, OSError) as error:
        raise ListenError(
            f"TLS: {config.ssl_certificate} and {config.ssl_key} are not a certificate and its key: {reason(error)}"
        ) from error
    if config.ssl_ca_file:
        try:
            context.load_verify_locations(config.ssl_ca_file)
        except (ssl.SSLError, OSError) as error:
            raise ListenError(f"TLS: {config.ssl_ca_file} is not an authority's PEM file: {reason(error)}") from error
    if config.ssl_verify_client:
        if not config.ssl_ca_file:
            raise ListenError("TLS: --ssl-verify-client needs --ssl-ca-file=FILE to verify with")
        context.verify_mode = ssl.CERT_REQUIRED
    for path in (config.ssl_certificate, config.ssl_ca_file):
        if path:
            warn_of_dates(path)
    return context


def warn_of_dates(path: str) -> None:
    """Log each certificate of a file that peers do not take now, or will not take soon.

    At level ERROR, so that it is seen without ``--verbose``; it stops nothing, as not every peer looks at the dates.
    """
    now = datetime.datetime.now(datetime.UTC)
    for number, certificate in enumerate(certificates_of(path), 1):
        which = f"The certificate in {path}" if number == 1 else f"Certificate {number} in {path}"
        if complaint := complaint_of(certificate, now):
            log.error("TLS: %s %s. Put a new one there, then send SIGHUP", which, complaint)


def complaint_of(certificate: Certificate, now: datetime.datetime) -> str:
    """Return what is to be said about a certificate's dates; empty when nothing is."""
    left = certificate.ends - now
    if left.total_seconds() <= 0:
        return f"expired on {certificate.ends:%Y-%m-%d %H:%M} UTC: peers that check it refuse to connect"
    if certificate.begins > now:
        return f"is not valid before {certificate.begins:%Y-%m-%d %H:%M} UTC: is this machine's clock right?"
    if left.total_seconds() <= CERTIFICATE_NOTICE:
        days = "1 day" if left.days == 0 else f"{left.days + 1} days"
        return f"expires on {certificate.ends:%Y-%m-%d %H:%M} UTC, within {days}"
    return ""


def refuse_passphrase(key: str) -> str:
    """Raise ListenError: a server cannot wait at a prompt."""
    raise ListenError(f"TLS: {key} is protected by a passphrase: remove it with openssl pkey -in {key} -out FILE")


def readable(path: str) -> None:
    """Raise ListenError if the file cannot be read."""
    try:
        with open(path, "rb"):
            pass
    except OSError as error:
        raise ListenError(f"TLS: cannot read {path}: {error.strerror}") from error


def reason(error: OSError) -> str:
    """Return OpenSSL's own words without its source positions."""
    return getattr(error, "reason", None) or re.sub(r" \(_ssl\.c:\d+\)$", "", error.strerror or str(error))
