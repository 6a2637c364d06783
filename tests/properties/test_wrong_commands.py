"""300 wrong command lines: each ends with a known exit code and a message, never a traceback.

Made from right ones by a seed: words dropped, doubled, swapped, cut, replaced by nonsense. No
server runs, so what is right by chance ends with "no server answers" or prints what it would do.
"""

from __future__ import annotations

import random
import re
from functools import partial
from pathlib import Path

import pytest

from athanor.cli import failures
from athanor.cli.catalog import VERBS
from athanor.cli.root import root

RIGHT = [
    "submit jax --name a --workers 2 --gpus 1 --cpu 2 --memory 4Gi --queue q -- python t.py",
    "submit pytorch --name a --workers 4 --env A=b --env C=d -- python t.py --lr 0.1",
    "submit generic --name a --dry-run -o yaml -- echo hi",
    "submit xgboost --workers 2 --priority high --dry-run -o json -- python t.py",
    "list -o json", "get trainingjobs -o yaml", "get pods -o wide -n team", "describe job a",
    "logs a --tail 10", "logs a --since 5m", "why a", "wait a --timeout 1", "top queue",
    "events", "delete a --yes", "suspend a", "resume a", "queue list", "user list",
    "kubeconfig", "backup x.db", "completion bash", "status", "version", "get gangs a -o name",
]  # fmt: skip
NONSENSE = ["", "-", "--", "---x", "ü", "\x07", "1e999", "-5", "Name_With_Caps", "a" * 300, "=",
            "$(x)", "0", "nan", "--workers", "../..", "{}", "-o", "☃.yaml", "8xA100"]  # fmt: skip
NEVER_RUN = {"up", "down", "gc", "doctor", "restore"}
KNOWN = {
    failures.DONE, failures.FAILED, failures.USAGE, failures.NOT_FOUND, failures.UNREACHABLE,
    failures.TIMEOUT,
}  # fmt: skip


def mutate(words: list[str], dice: random.Random) -> list[str]:
    """One to three small accidents."""
    words = list(words)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(words)) if words else 0
        accident = dice.randrange(6)
        if accident == 0 and words:
            del words[at]
        elif accident == 1 and words:
            words.insert(at, words[at])
        elif accident == 2 and words:
            other = dice.randrange(len(words))
            words[at], words[other] = words[other], words[at]
        elif accident == 3 and words:
            words[at] = words[at][: dice.randint(0, len(words[at]))]
        elif accident == 4 and words:
            words[at] = dice.choice(NONSENSE)
        else:
            words.insert(at, dice.choice(NONSENSE))
    return words


def _names_what(words: list[str], said: str) -> bool:
    """Whether a message says which word is wrong, or which is missing."""
    parts = {part for word in words for part in (word, *word.split("=", 1)) if part.strip("-")}
    shown = {part if part.isprintable() else repr(part).strip("'") for part in parts}
    return any(part in said for part in shown) or re.search(r"[A-Z]{2,}|--[a-z]", said) is not None


@pytest.mark.parametrize("seed", range(20))
def test_wrong_command_lines(
    seed: int,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.chdir(tmp_path)
    dice = random.Random(seed)
    for _ in range(15):
        words = mutate(dice.choice(RIGHT).split(), dice)
        if NEVER_RUN & set(words):
            continue
        args = ["--data", str(tmp_path / "data"), *words]
        code = failures.guard(partial(root, args, "athanor", standalone_mode=False), args)
        said = capsys.readouterr()
        assert code in KNOWN, (words, code, said.err)
        assert "Traceback" not in said.err and "fault of athanor" not in said.err, (words, said.err)
        if code not in (failures.DONE,):
            assert said.err.startswith("error: "), (words, code, said)
            assert len(said.err.splitlines()) <= 2, (words, said.err)
        if code == failures.USAGE:
            assert _names_what(words, said.err), (words, said.err)


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_an_unknown_option_names_itself(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    args = [verb, "--no-such-option"]
    code = failures.guard(lambda: root(args, "athanor", standalone_mode=False), args)
    assert code == failures.USAGE
    assert "--no-such-option" in capsys.readouterr().err
