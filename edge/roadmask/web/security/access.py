"""Who may ask for what: host names, origins, the token and the sessions that it opens."""

from __future__ import annotations

import hmac
import ipaddress
import secrets
import socket
import time
from collections import OrderedDict
from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from roadmask.web.settings import ServeConfig

COOKIE = "roadmask_session"
SESSION_S = 12 * 3600
_SESSIONS = 1000


class Access:
    """The rules of one server; nothing here does I/O.

    Args:
        config: the address, the token ("" = none is needed) and the allowed names.
    """

    def __init__(self, config: ServeConfig) -> None:
        self._token = config.token.encode()
        self._names = {"localhost", socket.gethostname().lower(), config.host.lower()}
        self._names |= {name.lower() for name in config.allow_hosts}
        self._sessions: OrderedDict[str, float] = OrderedDict()

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

    def is_token(self, given: str) -> bool:
        """Compare in constant time."""
        return hmac.compare_digest(given.encode(), self._token)

    def may_enter(self, headers: Headers) -> bool:
        """The token as Bearer, or a session's cookie; or none is needed."""
        if not self._token:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.is_token(given.strip()):
            return True
        return self._is_session(_session_of(headers))

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
