"""TLS settings of a target, decided once, with one context shared by all its logins.

PyMySQL builds a context with the system's certificate store for each login unless told otherwise
(20-30 ms of CPU each), and passing a context makes TLS compulsory. Options of the address: ``ssl``
= required | preferred | disabled, ``ssl_ca`` (verify the server's certificate),
``ssl_verify_identity`` = true (its host name too), ``ssl_cert`` and ``ssl_key`` (our own). Default:
disabled on this machine, else preferred.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from functools import lru_cache

from probes.model import Address, FailureKind, ProbeError, Text
from probes.mysql.connection.sockets import DeadlineTLSSocket, is_local

MODES = ("required", "preferred", "disabled")
SSL_OPTIONS = ("ssl", "ssl_ca", "ssl_cert", "ssl_key", "ssl_verify_identity")


@dataclass(slots=True)
class Choice:
    """TLS settings of one target. ``context`` None: clear text."""

    context: ssl.SSLContext | None
    may_fall_back: bool  # preferred: a server without TLS is used in clear text

    def fall_back(self) -> None:
        """The server has no TLS: remember it, so that the next login does not try again."""
        self.context = None


def mode(address: Address) -> str:
    """required, preferred or disabled. Raises ``ProbeError`` on any other word."""
    if address.options.get("ssl_ca") and "ssl" not in address.options:
        return "required"
    said = address.options.get("ssl", "disabled" if is_local(address) else "preferred")
    if said not in MODES:
        raise ProbeError(
            FailureKind.BROKEN,
            Text("ssl={said} is not one of {modes}", said=said, modes=", ".join(MODES)),
            Text("Write one of {modes} as the target's ssl option.", modes=", ".join(MODES)),
        )
    return said


def choice(address: Address) -> Choice:
    """The settings for this address; the same object every time for the same address."""
    mode(address)  # an invalid value raises here and is not cached
    options = tuple((key, address.options.get(key, "")) for key in SSL_OPTIONS)
    return _decided(address.host, address.port, mode(address), options)


@lru_cache(maxsize=4096)
def _decided(host: str, port: int, wanted: str, options: tuple[tuple[str, str], ...]) -> Choice:
    del host, port  # part of the key: each server is decided for by itself
    if wanted == "disabled":
        return Choice(None, may_fall_back=False)
    return Choice(_context(dict(options)), may_fall_back=wanted == "preferred")


def _context(options: dict[str, str]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = DeadlineTLSSocket
    # Encrypts without proof of identity unless a CA is named: what every MySQL client does by
    # default, for servers sign their own certificates at first start.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    try:
        if options["ssl_ca"]:
            context.verify_mode = ssl.CERT_REQUIRED
            context.check_hostname = options["ssl_verify_identity"].lower() in {"true", "1", "yes"}
            context.load_verify_locations(cafile=options["ssl_ca"])
            # Python 3.13 turns this on; certificates that MySQL makes for itself do not pass.
            context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if options["ssl_cert"]:
            context.load_cert_chain(options["ssl_cert"], options["ssl_key"] or None)
    except OSError as error:  # ssl.SSLError is one too
        named = ", ".join(f"{k}={v}" for k, v in options.items() if v and k != "ssl")
        raise ProbeError(
            FailureKind.BROKEN,
            Text(
                "the TLS files of the target cannot be used ({named}): {error}",
                named=named,
                error=error,
            ),
            Text(
                "Check the TLS files in the target's configuration ({named}): there, "
                "readable by the agent, and in PEM form.",
                named=named,
            ),
        ) from error
    return context
