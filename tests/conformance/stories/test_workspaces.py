"""A workspace, entered through the gateway."""

from __future__ import annotations

from tests.acceptance.door import ask
from tests.conformance.stories.teller import Teller

SERVE = (
    "import http.server, os; os.chdir('/'); "
    "H = type('H', (http.server.BaseHTTPRequestHandler,), {'do_GET': lambda s: ("
    "s.send_response(200), s.end_headers(), s.wfile.write(s.path.encode()))}); "
    "port = int(os.environ['ATHANOR_WORKSPACE_PORT']); "
    "http.server.HTTPServer(('127.0.0.1', port), H).serve_forever()"
)


def test_a_workspace_is_entered_stopped_and_started(story: Teller) -> None:
    me = story.person("me")
    me.athanor("workspace", "create", "app", "--app", "command", "--cpu", "100m", "--image", "host",
               "--", "python", "-c", SERVE)  # fmt: skip
    story.reaches("workspace", "app", "Running")
    link = me.athanor("workspace", "open", "app").strip()
    base = link.partition("?")[0]
    assert ask(base)[0] == 401, "nobody enters without a link"
    code, _, cookie = ask(link)
    assert code == 302, link

    def answers() -> str | None:
        code, body, _ = ask(f"{base}some/page?x=1", cookie)
        return body if code == 200 else None

    assert story.until(answers).endswith("/app/some/page?x=1")
    stranger = story.person("stranger", "view")
    assert "may not update workspace app" in stranger.athanor(
        "workspace", "open", "app", fails=True
    )
    me.athanor("workspace", "stop", "app")
    story.reaches("workspace", "app", "Stopped")
    assert story.kubectl("get", "pvc", "-o", "name"), "its home is kept"
    me.athanor("workspace", "start", "app")
    story.reaches("workspace", "app", "Running")
    me.athanor("workspace", "delete", "app", "--yes")


def test_what_nobody_uses_is_stopped(story: Teller) -> None:
    story.athanor("workspace", "create", "idle", "--app", "command", "--cpu", "100m", "--image",
                  "host", "--idle", "3s", "--idle-stop", "6s", "--", "sleep", "600")  # fmt: skip
    story.reaches("workspace", "idle", "Running")
    story.reaches("workspace", "idle", "Stopped")
    assert story.status("workspace", "idle")["reason"] == "Idle"
    story.athanor("workspace", "delete", "idle", "--yes")
