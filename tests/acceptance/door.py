"""The door of a workspace, as a program without a browser meets it."""

from __future__ import annotations

import http.client
import ssl


def ask(link: str, cookie: str = "") -> tuple[int, str, str]:
    """Status, body and cookie of one request, with no trust in anybody."""
    origin, _, path = link.removeprefix("https://").partition("/")
    trust = ssl.create_default_context()
    trust.check_hostname, trust.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(origin, context=trust, timeout=20)
    try:
        connection.request("GET", f"/{path}", headers={"Cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        given = (answer.getheader("Set-Cookie") or "").partition(";")[0]
        return answer.status, answer.read().decode(errors="replace"), given
    finally:
        connection.close()
