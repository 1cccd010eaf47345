"""TLS as the server offers it (protocol section 8)."""

import re
import ssl

from gearfast.config import Config
from gearfast.errors import ListenError


def server_context(config: Config) -> ssl.SSLContext:
    """Return the context of the three files, or refuse with one line that names the one at fault.

    Raises ListenError.
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
            f"TLS: {config.ssl_certificate} and {config.ssl_key} are no certificate with its key: {reason(error)}"
        ) from error
    if config.ssl_ca_file:
        try:
            context.load_verify_locations(config.ssl_ca_file)
        except (ssl.SSLError, OSError) as error:
            raise ListenError(f"TLS: {config.ssl_ca_file} is no PEM file of an authority: {reason(error)}") from error
    if config.ssl_verify_client:
        if not config.ssl_ca_file:
            raise ListenError("TLS: --ssl-verify-client needs --ssl-ca-file=FILE to verify with")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def refuse_passphrase(key: str) -> str:
    """Raise ListenError: a server cannot wait at a prompt."""
    raise ListenError(f"TLS: {key} is protected by a passphrase; take it off: openssl pkey -in {key} -out FILE")


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
