"""Parses a target's URL: where the server listens, and the account.

Every part of the URL is checked, and the password is never printed.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit

import psutil

from probes import Address, Secret
from probes.words.engine import Engine


class AddressError(Exception):
    """The URL cannot be used; one sentence."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """An address, and whether its password was in the URL."""

    address: Address
    password_in_url: bool


def parse(url: str, engine: Engine, user: str = "sigap") -> Parsed:
    """Read ``scheme://user:password@host:port/database?option=value``.

    ``?host=/directory`` (or ``?unix_socket=/file``) is a Unix socket. Raises ``AddressError``.
    """
    schemes = engine.schemes or (engine.name,)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressError(f"is not an address: {_without(str(error), url)}") from None
    if parts.scheme.partition("+")[0] not in schemes:
        raise AddressError(f"must begin with {schemes[0]}:// for engine {engine.name}")
    if parts.fragment:
        raise AddressError("contains '#'; write it as %23 inside a user name or password")
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    host = options.pop("unix_socket", "") or options.pop("host", "") or (parts.hostname or "")
    if "password" in options:
        raise AddressError("must not contain a password option; use password_file")
    host = unquote(host)
    if not host:
        raise AddressError("has no host; add one, or ?host=/directory for a Unix socket")
    if not host.startswith("/") and any(c.isspace() or c == "/" for c in host):
        raise AddressError("has a host with a space or '/' in it")
    password = unquote(parts.password) if parts.password else None
    address = Address(
        host=host,
        port=port or engine.default_port,
        user=unquote(parts.username) if parts.username else user,
        database=unquote(parts.path.lstrip("/")),
        password=Secret(password) if password else None,
        options=options,
    )
    return Parsed(address, password is not None)


def _without(message: str, url: str) -> str:
    return message.replace(url, "the url")


def machine(address: Address) -> str:
    """The host of a server that is not local, from the address; "" if not named.

    A loopback address of a server that is not local is the near end of a tunnel.
    """
    host = address.host.lower()
    try:
        tunnel = ipaddress.ip_address(host).is_loopback
    except ValueError:
        tunnel = host.startswith("/") or host == "localhost"
    return "" if tunnel else host


def is_local(address: Address) -> bool:
    """Whether the server listens on this machine: a Unix socket, loopback or an own address.

    A name other than ``localhost`` or this host's own is not resolved, because loading must not
    wait for a name server.
    """
    host = address.host.lower()
    if host.startswith("/") or host in ("localhost", socket.gethostname().lower()):
        return True
    try:
        ip = ipaddress.ip_address(host)
    except ValueError:
        return False
    if ip.is_loopback:
        return True
    own = {a.address.partition("%")[0] for nics in psutil.net_if_addrs().values() for a in nics}
    return str(ip) in own
