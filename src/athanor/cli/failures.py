"""What an error looks like to a person: one line, a hint, and an exit code that scripts can read.

0 done, 1 failed or refused, 2 wrong usage, 3 no such thing, 4 no server (with Athanor) answers,
5 not in time, 130 interrupted. `-vv` shows where an error arose.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

if TYPE_CHECKING:
    from athanor.wire.status import ApiError

T = TypeVar("T")
DONE, FAILED, USAGE, NOT_FOUND, UNREACHABLE, TIMEOUT, INTERRUPTED = 0, 1, 2, 3, 4, 5, 130
NO_PATH = 404, "404 page not found"
"""What a Kubernetes answers where it serves nothing."""


class Failure(Exception):
    """A command cannot do what it was asked; message, way out, exit code."""

    def __init__(self, message: str, *, hint: str = "", code: int = FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.code = code


_LISTS = {
    "namespaces": "athanor get namespaces shows them", "queues": "athanor queue list shows them",
    "pools": "athanor pool list shows them", "nodes": "athanor get nodes shows them",
    "reservations": "athanor reserve list shows them",
    "workspaces": "athanor workspace list -A shows them",
}  # fmt: skip
"""Where names of a kind are seen, by its plural."""


def guard(
    command: Callable[[], object], args: Sequence[str], cluster: Callable[[], str] = str
) -> int:
    """Run `command`; print what went wrong; return the exit code.

    `cluster` names the server that was meant, for whoever forgot which one that is.
    """
    try:
        code = command()
        sys.stdout.flush()
    except click.exceptions.Exit as left:
        return left.exit_code
    except click.Abort as stopped:  # an answer of no, or Ctrl-C anywhere (its cause then)
        asked = stopped.__cause__ is None
        _say("stopped; nothing was changed" if asked else "interrupted")
        return INTERRUPTED
    except click.ClickException as wrong:
        return _usage(wrong)
    except KeyboardInterrupt:
        _say("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILED
    except Exception as error:  # the last resort names it, and how to see more
        if _loud(args):
            raise
        return _known(error, cluster)
    return code if isinstance(code, int) else DONE


def each(things: Iterable[T], act: Callable[[T], object]) -> int:
    """Do something with each of them; where that is refused it is said, and the others follow.

    Returns the exit code of the last that was refused. Without a server, or without Athanor on it,
    nothing follows.
    """
    from athanor.client.target import Unreachable
    from athanor.wire.status import ApiError

    code = DONE
    for thing in things:
        try:
            act(thing)
        except Unreachable:
            raise
        except ApiError as error:
            if is_absent(error):
                raise
            code = _refused(error)
    return code


def is_absent(error: ApiError) -> bool:
    """Whether a Kubernetes answered that has none of our kinds.

    It does so without a Status: for the path of a group, or of a kind, that nobody has added.
    """
    return error.code == NO_PATH[0] and error.message == NO_PATH[1]


def absent(cluster: str) -> Failure:
    """Athanor is not on the server that was meant."""
    named = f" (context {cluster})" if cluster else ""
    return Failure(
        f"Athanor is not installed on this cluster{named}",
        hint="athanor install, see docs/cluster.md", code=UNREACHABLE,
    )  # fmt: skip


def _loud(args: Sequence[str]) -> bool:
    words = list(args[: args.index("--")] if "--" in args else args)
    return "-vv" in words or words.count("-v") + words.count("--verbose") > 1


def _usage(wrong: click.ClickException) -> int:
    if isinstance(wrong, click.exceptions.NoArgsIsHelpError):
        print(wrong.format_message(), file=sys.stderr)
        return USAGE
    _say(" ".join(wrong.format_message().split()))
    if isinstance(wrong, click.UsageError) and wrong.ctx is not None:
        _hint(f"{wrong.ctx.command_path} --help")
    return USAGE


def _known(error: Exception, cluster: Callable[[], str]) -> int:
    from athanor.sdk.jobs import WaitTimeout
    from athanor.wire.status import ApiError

    if isinstance(error, ApiError) and is_absent(error):
        error = absent(cluster())
    if isinstance(error, Failure):
        _say(str(error))
        if error.hint:
            _hint(error.hint)
        return error.code
    if isinstance(error, ApiError):
        return _refused(error)
    if isinstance(error, WaitTimeout):
        _say(str(error))
        return TIMEOUT
    if isinstance(error, OSError):
        if isinstance(error, FileNotFoundError) and not error.filename and not _is_here():
            _say("the folder that this is run in exists no more: go to another")
            return FAILED
        where = f"{error.filename}: " if error.filename else ""
        _say(f"{where}{error.strerror or error}")
        return FAILED
    _say(f"{type(error).__name__}: {error}")
    _hint("this is a fault of athanor; -vv shows where it arose")
    return FAILED


def _is_here() -> bool:
    try:
        return bool(os.getcwd())
    except OSError:
        return False


def _refused(error: ApiError) -> int:
    from athanor.client.target import Unreachable

    _say(error.message.replace("\n", " "))
    hints = {
        "NotFound": (NOT_FOUND, "athanor list -A shows all jobs"),
        "ServiceUnavailable": (UNREACHABLE, _way_to(error.message)),
        "Unauthorized": (FAILED, "the kubeconfig's identity is not accepted: athanor doctor"),
        "Forbidden": (FAILED, "ask whoever runs the platform for the right"),
        "AlreadyExists": (FAILED, "choose another name, or delete it first"),
        "Conflict": (FAILED, "somebody changed it meanwhile: try again"),
    }
    code, hint = hints.get(error.reason, (FAILED, ""))
    if error.reason == "ServiceUnavailable" and not isinstance(error, Unreachable):
        code, hint = FAILED, ""  # a server did answer, and says what ails it
    if error.reason == "NotFound" and "trainingjobs" not in error.message:
        kind = error.message.partition(" ")[0].partition(".")[0]
        hint = _LISTS.get(kind, "")
    if hint:
        _hint(hint)
    return code


def _way_to(message: str) -> str:
    """What helps who does not reach a server, by what is said of it."""
    if "is not trusted" in message:
        return (
            "name the authority that signed it: certificate-authority in the kubeconfig, or, for "
            "the gateway, SSL_CERT_FILE"
        )
    if any(here in message for here in ("127.0.0.1", "localhost", "[::1]")):
        return "athanor up --detach starts the platform here"
    return "see whether that address is right and can be reached: --context, --kubeconfig"


def _say(text: str) -> None:
    from athanor.cli.paint import RED, paint

    print(f"{paint('error:', RED, sys.stderr)} {text}", file=sys.stderr)


def _hint(text: str) -> None:
    print(f"  try: {text}", file=sys.stderr)
