"""Who may ask for what: host names, origins, the token and the sessions that it opens."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import secrets
import socket
import time
from collections import OrderedDict
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import Scope

from roadmask.web.problems import ProblemError
from roadmask.web.security.throttle import Throttle
from roadmask.web.settings import ServeConfig

COOKIE = "roadmask_session"
SESSION_S = 12 * 3600
_SESSIONS = 1000
_log = logging.getLogger("roadmask.web")


class Access:
    """The rules of one server.

    Args:
        config: the address, the token ("" = none is needed) and the allowed names.

    Attributes:
        throttle: of addresses that gave wrong tokens.
    """

    def __init__(self, config: ServeConfig) -> None:
        self._token = config.token.encode()
        self._names = {"localhost", socket.gethostname().lower(), config.host.lower()}
        self._names |= {name.lower() for name in config.allow_hosts}
        self._sessions: OrderedDict[str, float] = OrderedDict()
        self.throttle = Throttle()

    @property
    def needs_token(self) -> bool:
        """A token was set."""
        return bool(self._token)

    def knows_host(self, host: str) -> bool:
        """Whether a request for ``host`` (with its port) means this server.

        A name that an attacker owns and lets point here (DNS rebinding) is none of ours; an
        address cannot be rebound.
        """
        name = _hostname(host)
        try:
            ipaddress.ip_address(name)
            return True
        except ValueError:
            return bool(name) and name in self._names

    @staticmethod
    def same_origin(headers: Headers) -> bool:
        """Whether a browser sent this from one of our own pages; other clients name no origin."""
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        origin = headers.get("origin")
        return origin is None or origin.partition("://")[2].lower() == headers["host"].lower()

    def is_token(self, given: str, address: str, where: str) -> bool:
        """Compare in constant time; a wrong one is logged, never itself, and counted.

        Raises:
            ProblemError: 429, that address gave too many wrong ones to be heard now.
        """
        if wait_s := self.throttle.wait_s(address):
            raise ProblemError(
                429,
                f"too many wrong tokens came from {address}: try again in {wait_s} s",
                {"Retry-After": f"{wait_s}"},
            )
        if hmac.compare_digest(given.encode(), self._token):
            return True
        self.throttle.wrong(address)
        _log.warning("a wrong token was given at %s from %s", where, address)
        return False

    def may_enter(self, headers: Headers, address: str) -> bool:
        """The token as Bearer, or a session's cookie; or none is needed.

        Raises:
            ProblemError: as ``is_token``.
        """
        if not self._token or self._is_session(_session_of(headers)):
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        bearer = scheme.lower() == "bearer" and given.strip()
        return bool(bearer) and self.is_token(given.strip(), address, "the API")

    def open_session(self) -> str:
        """A new session's secret."""
        session = secrets.token_urlsafe(32)
        self._sessions[session] = time.monotonic() + SESSION_S
        while len(self._sessions) > _SESSIONS:
            self._sessions.popitem(last=False)
        return session

    def end_session(self, headers: Headers) -> None:
        """Forget the session that these headers name."""
        self._sessions.pop(_session_of(headers), None)

    def _is_session(self, session: str) -> bool:
        # The secret has 256 bits: how long a look-up takes tells nothing about it.
        return self._sessions.get(session, 0.0) > time.monotonic()


def address_of(scope: Scope) -> str:
    """Where a request comes from; a trusted proxy's word for it where there is one."""
    client = scope.get("client")
    return str(client[0]) if client else "an unknown address"


def _hostname(host: str) -> str:
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:  # half of an IPv6 address
        return ""


def _session_of(headers: Headers) -> str:
    cookie: SimpleCookie = SimpleCookie()
    try:
        cookie.load(headers.get("cookie", ""))
    except CookieError:
        return ""
    return cookie[COOKIE].value if COOKIE in cookie else ""
