"""What the supervisor hears of a process in an order that is rare."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = """
import atexit, json, os, sys
from pathlib import Path
from athanor.local.agent.launch import tag
from athanor.local.agent.supervisor.cgroups import Cgroups
from athanor.local.agent.supervisor.containers import Containers
from athanor.local.agent.supervisor.journal import Journal
folder, told, answers = sys.argv[1], [], []
journal, groups = Journal(os.path.join(folder, "exits")), Cgroups(tag(Path(folder)))
atexit.register(groups.close)
here = Containers(folder, journal, groups, None, "process", told.append)
spec = {"log": os.path.join(folder, "log"), "argv": ["/no/such/program"], "env": {}, "cwd": folder,
        "group": "rare", "uid": os.getuid(), "gid": os.getgid()}
here.start("p/a/0", spec, lambda answer, files: answers.append(answer))
(process,) = here.live.values()
os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
here.reap()
for fd in list(process.streams):
    here.readers[fd]()
here.tick()
assert told == [] and answers == [], (told, answers)
for read in list(here.readers.values()):
    read()
here.tick()
print(json.dumps([answers, told, journal.exits]))
"""


def test_an_end_that_is_seen_before_its_report_tells_why_all_the_same(tmp_path: Path) -> None:
    words = [sys.executable, "-c", SCRIPT, str(tmp_path)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (answer,), (event,), exits = json.loads(done.stdout)
    assert not answer["ok"] and "/no/such/program" in answer["error"]
    assert (event["exit"]["code"], event["exit"]["failed"]["doing"]) == (127, "start")
    assert exits["p/a/0"] == event["exit"]
