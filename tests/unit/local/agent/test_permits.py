"""What of the machine pods are given, by the rights of whoever submitted them."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from athanor.api.meta import JSON
from athanor.local.agent import contain, uids
from athanor.local.agent.images import Environment
from athanor.local.agent.permits import Permit, Rights, permit
from athanor.local.agent.place import Place
from athanor.local.agent.plan.environ import Missing
from athanor.local.agent.volumes import Source

HERE = Environment(path=(), python="python3")
UID = uids.FIRST + 1


def pod(user: str = "", namespace: str = "red", work: str = "") -> JSON:
    notes = {"athanor.dev/user": user} if user else {}
    container = {"name": "c", "workingDir": work}
    return {
        "metadata": {"namespace": namespace, "name": "p", "uid": "u", "annotations": notes},
        "spec": {"containers": [container]},
    }


def opened(folder: Path) -> None:
    """Let everybody pass to a folder of the tests."""
    for parent in (folder, *folder.parents):
        if parent.stat().st_uid == os.getuid() and parent != Path("/tmp"):
            parent.chmod(parent.stat().st_mode | 0o001)


def at(data: Path, given: Permit) -> Place:
    return Place(
        uid=UID, gid=UID, folder=data / "node/pods/u", data=data, library=data / "lib", apart=True,
        walls=(), cgroups=frozenset(), permit=given,
    )  # fmt: skip


def test_the_platforms_data_are_nobodys_but_the_namespaces_checkpoints(tmp_path: Path) -> None:
    for given in (
        permit(pod(), UID, tmp_path, stamped=True, ours=0),
        permit(pod("bob"), UID, tmp_path, stamped=True, ours=0),
    ):
        for path in (
            "",
            "pki",
            "node/pods",
            "node/logs",
            "node/checkpoints/blue",
            "admin.kubeconfig",
        ):
            with pytest.raises(Missing, match="belongs to the platform"):
                given.check_data(str(tmp_path / path))
        given.check_data(str(tmp_path / "node/checkpoints/red/job"))
        given.check_data(str(tmp_path.parent))
        given.check_making(str(tmp_path / "node/checkpoints/red/job"))
        given.check_passage(str(tmp_path / "node/checkpoints/red/job"))


def test_a_closed_home_stays_closed(tmp_path: Path) -> None:
    opened(tmp_path)
    project = tmp_path / "home" / "project"
    project.mkdir(parents=True)
    project.parent.chmod(0o700)
    theirs = permit(pod("bob"), UID, tmp_path / "d", stamped=True, ours=0)
    with pytest.raises(
        Missing, match=f"user {UID}.* may not pass {project.parent}.*athanor.dev/uid"
    ):
        theirs.check_passage(str(project))
    project.parent.chmod(0o711)
    theirs.check_passage(str(project))
    project.parent.chmod(0o700)
    permit(pod(), UID, tmp_path / "d", stamped=True, ours=0).check_passage(str(project))
    owner = Permit(rights=(Rights(project.stat().st_uid),))
    owner.check_passage(str(project))


def test_an_annotation_proves_nothing_where_the_server_does_not_write_it(tmp_path: Path) -> None:
    opened(tmp_path)
    closed = tmp_path / "home"
    (closed / "project").mkdir(parents=True)
    closed.chmod(0o700)
    for said in ("", pwd.getpwuid(os.getuid()).pw_name):
        given = permit(pod(said), UID, tmp_path / "d", stamped=False, ours=0)
        with pytest.raises(Missing, match="may not pass"):
            given.check_passage(str(closed / "project"))


def test_who_may_share_the_machines_network() -> None:
    at_home, elsewhere = {"stamped": True, "ours": 0}, {"stamped": False, "ours": 0}
    assert permit(pod(), UID, Path("/d"), **at_home).host_network
    assert not permit(pod("bob"), UID, Path("/d"), **at_home).host_network
    assert permit(pod("bob"), UID, Path("/d"), **elsewhere).host_network
    assert not permit(pod("bob"), 7, Path("/d"), stamped=True, ours=7).host_network


def test_folders_are_made_where_their_user_could_make_them(tmp_path: Path) -> None:
    opened(tmp_path)
    tmp_path.chmod(0o755)
    given = permit(pod("bob"), UID, tmp_path / "d", stamped=True, ours=0)
    with pytest.raises(Missing, match=f"may not make it in {tmp_path}"):
        given.check_making(str(tmp_path / "outputs" / "job"))
    tmp_path.chmod(0o777)
    given.check_making(str(tmp_path / "outputs" / "job"))
    permit(pod(), UID, tmp_path / "d", stamped=True, ours=0).check_making("/root/outputs")


def test_a_persons_account_counts_and_the_systems_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    def account(name: str) -> pwd.struct_passwd:
        uid = {"ada": 1001, "postgres": 105}[name]
        return pwd.struct_passwd((name, "x", uid, uid, "", "/", "/bin/sh"))

    monkeypatch.setattr(pwd, "getpwnam", account)
    monkeypatch.setattr(os, "getgrouplist", lambda name, gid: [gid, 50])
    data = Path("/d")
    assert permit(pod("ada"), UID, data, stamped=True, ours=0).rights == (
        Rights(UID, (UID,)), Rights(1001, (1001, 50)),
    )  # fmt: skip
    for who in ("postgres", "nobody-at-all"):
        assert permit(pod(who), UID, data, stamped=True, ours=0).rights == (Rights(UID, (UID,)),)


def test_guests_of_an_ordinary_user_get_what_everybody_may_have(tmp_path: Path) -> None:
    opened(tmp_path)
    me = os.getuid() or 12345
    given = permit(pod("bob"), me, tmp_path / "d", stamped=True, ours=me)
    tmp_path.chmod(0o711)
    assert given.guest and given.only_reads(str(tmp_path))
    tmp_path.chmod(0o777)
    assert not given.only_reads(str(tmp_path))
    closed = tmp_path / "home"
    (closed / "project").mkdir(parents=True)
    closed.chmod(0o700)
    with pytest.raises(Missing, match="bob, a guest here, may not pass"):
        given.check_passage(str(closed / "project"))
    home = os.path.expanduser("~")
    for path in (home, f"{home}/project", "/"):
        with pytest.raises(Missing, match=f"is given nothing of {home}"):
            given.check_passage(path)
    assert permit(pod(), me, tmp_path / "d", stamped=True, ours=me).everything
    entries = contain.mounts(
        pod("bob"), pod("bob")["spec"]["containers"][0], HERE, at(Path("/d"), given), {}, {}
    )
    assert {
        "kind": "tmpfs",
        "target": os.path.expanduser("~"),
        "readOnly": True,
        "size": "1m",
    } in entries


def test_a_folder_around_the_platforms_data_shows_nothing_of_them(tmp_path: Path) -> None:
    data = tmp_path / "project" / ".athanor"
    data.mkdir(parents=True)
    work = str(data.parent)
    whole = pod(work=work)
    place = at(data, permit(whole, UID, data, stamped=True, ours=0))
    container = whole["spec"]["containers"][0]
    container["volumeMounts"] = [{"name": "h", "mountPath": "/x"}]
    entries = contain.mounts(whole, container, HERE, place, {"h": Source(path=str(tmp_path))}, {})
    targets = [entry["target"] for entry in entries]
    for shown, hidden in ((work, str(data)), ("/x", "/x/project/.athanor")):
        assert targets.index(shown) < targets.index(hidden)
        assert next(e for e in entries if e["target"] == hidden)["kind"] == "tmpfs"
    container["workingDir"] = str(data)
    with pytest.raises(Missing, match="belongs to the platform"):
        contain.mounts(whole, container, HERE, place, {"h": Source(path=str(tmp_path))}, {})


def test_a_volume_over_the_working_directory_is_no_folder_of_the_machine(tmp_path: Path) -> None:
    whole = pod("bob", work=str(tmp_path / "closed" / "in"))
    (tmp_path / "closed" / "in").mkdir(parents=True)
    (tmp_path / "closed").chmod(0o700)
    place = at(tmp_path / "d", permit(whole, UID, tmp_path / "d", stamped=True, ours=0))
    container = whole["spec"]["containers"][0]
    sources = {"v": Source(path=str(tmp_path))}
    with pytest.raises(Missing, match="may not pass"):
        contain.mounts(whole, container, HERE, place, sources, {})
    container["volumeMounts"] = [{"name": "v", "mountPath": str(tmp_path / "closed")}]
    assert contain.mounts(whole, container, HERE, place, sources, {})


@pytest.mark.parametrize(("stamped", "ours", "chosen"), [(True, 0, True), (False, 0, False),
                                                         (True, 7, False)])  # fmt: skip
def test_a_user_is_chosen_by_annotation_only_where_it_is_read(
    tmp_path: Path, stamped: bool, ours: int, chosen: bool
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(Missing, match=r"chmod o\+x") as refused:
        permit(pod("bob"), UID, Path("/d"), stamped=stamped, ours=ours).check_passage(
            str(closed / "x")
        )
    assert ("athanor.dev/uid" in str(refused.value)) == chosen
