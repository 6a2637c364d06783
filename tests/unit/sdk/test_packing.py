"""What goes into a bundle, what it is called, and what comes out of it again."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from athanor.sdk import packing
from athanor.sdk.packing import NotPacked, chosen, pack
from athanor_progress import fetch


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_a_bundle_is_named_by_its_content_and_unpacks_to_it(tmp_path: Path) -> None:
    files = {"train.py": "x", "lib/a.py": "y", ".gitignore": "*.log\n/data/\n!keep.log\n"}
    left = {"a.log": "-", "data/x": "-", ".git/config": "-", "env/pyvenv.cfg": "-", "env/p": "-"}
    source = write(tmp_path / "s", {**files, **left, "keep.log": "z", "lib/data/y": "w"})
    os.symlink("train.py", source / "link.py")
    (source / "train.py").chmod(0o755)
    packed = pack(str(source))
    os.utime(source / "train.py", (1, 1))
    assert pack(str(source)).name == packed.name
    target = tmp_path / "t"
    target.mkdir()
    assert fetch.unpack(io.BytesIO(packed.data), str(target)) == packed.files == 6
    there = {str(p.relative_to(target)) for p in target.rglob("*") if not p.is_dir()}
    assert there == {*files, "keep.log", "lib/data/y", "link.py"}
    assert (target / "link.py").read_text() == "x"
    assert (target / "train.py").stat().st_mode & 0o777 == 0o777
    write(source, {"train.py": "changed"})
    assert pack(str(source)).name != packed.name


def test_what_cannot_go_is_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, {"weights.bin": "x" * 5000, "train.py": "y"})
    with pytest.raises(NotPacked, match=r"more than 0.0 MiB; the largest are weights.bin \(0.0 M"):
        pack(str(tmp_path), limit=4000)
    os.symlink("/etc/passwd", tmp_path / "out")
    with pytest.raises(NotPacked, match="out is a link to /etc/passwd, outside"):
        pack(str(tmp_path))
    with pytest.raises(NotPacked, match="no folder"):
        pack(str(tmp_path / "train.py"))
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(NotPacked, match="has no files"):
        pack(str(empty))


def test_what_earlier_jobs_left_stays_here(tmp_path: Path) -> None:
    write(tmp_path, {"train.py": "x", "lib/outputs/y": "y", "outputs/a/weights": "z"})
    paths = [item.path for item in chosen(str(tmp_path), str(tmp_path / "outputs"))]
    assert sorted(paths) == ["lib/outputs/y", "train.py"]
    for elsewhere in (str(tmp_path), "/elsewhere", ""):
        assert len(list(chosen(str(tmp_path), elsewhere))) == 3
    write(tmp_path, {".gitignore": "!/outputs/"})
    assert len(list(chosen(str(tmp_path), str(tmp_path / "outputs")))) == 4


_NAMES = st.sampled_from(["a", "b", "ab", "a.py", "b.txt", "build", "#x", "a b"])
_PATHS = st.lists(_NAMES, min_size=1, max_size=3).map("/".join)
_LINES = st.sampled_from(
    ["a", "/a", "a/", "*.py", "b*", "!a.py", "a/*", "**/b", "a/**", "a/**/b", "[ab]", "[!a]*",
     "build/", "/build", "!build/", "\\#x", "# no", "", "a\\ b", "?", "*/a.py", "ab/../a"]
)  # fmt: skip


@pytest.mark.skipif(shutil.which("git") is None, reason="git is the oracle")
@settings(max_examples=12, deadline=None)
@given(
    st.sets(_PATHS, min_size=1, max_size=8), st.lists(_LINES, max_size=5),
    st.lists(_LINES, max_size=2),
)  # fmt: skip
def test_gitignore_leaves_out_what_git_leaves_out(
    paths: set[str], top: list[str], inner: list[str]
) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write(folder, {".gitignore": "\n".join(top), "a/.gitignore": "\n".join(inner)})
        for path in paths:
            try:
                write(folder, {path: "x"})
            except OSError:
                continue  # it is a folder already, or below a file
        subprocess.run(["git", "init", "-q", name], check=True)
        words = ["git", "-C", name, "ls-files", "-z", "-co", "--exclude-standard"]
        said = subprocess.run(words, check=True, capture_output=True, text=True).stdout
        assert {item.path for item in packing.chosen(name)} == set(filter(None, said.split("\0")))


def test_wheels_of_another_folder_come_along(tmp_path: Path) -> None:
    code = write(tmp_path / "code", {"train.py": "x"})
    wheels = write(tmp_path / "wheels", {"a-1-py3-none-any.whl": "w", "notes.txt": "-"})
    packed = pack(str(code), wheels=str(wheels))
    assert packed.name == pack(str(code), wheels=str(wheels)).name != pack(str(code)).name
    target = tmp_path / "t"
    target.mkdir()
    assert fetch.unpack(io.BytesIO(packed.data), str(target)) == packed.files == 2
    assert (target / packing.WHEELS / "a-1-py3-none-any.whl").read_text() == "w"
    write(wheels, {"big-1-py3-none-any.whl": "x" * 5000})
    with pytest.raises(NotPacked, match=r"largest are .athanor/wheels/big-1-py3-none-any.whl"):
        pack(str(code), limit=4000, wheels=str(wheels))
    with pytest.raises(NotPacked, match="has no wheels: pip download"):
        pack(str(code), wheels=str(code))
    with pytest.raises(NotPacked, match="nowhere is no folder"):
        pack(str(code), wheels=str(tmp_path / "nowhere"))
