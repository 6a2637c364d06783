"""The gateway's folder for sockets."""

from __future__ import annotations

from pathlib import Path

from athanor.assembly import gateway


def test_what_a_killed_gateway_left_is_removed_by_the_next(tmp_path: Path) -> None:
    note, left = tmp_path / "note", tmp_path / "left"
    left.mkdir()
    (left / "socket").touch()
    note.write_text(str(left))
    with gateway.scratch(note) as folder:
        assert not left.exists() and folder.is_dir()
        assert note.read_text() == str(folder) and note.stat().st_mode & 0o077 == 0
    assert not folder.exists() and not note.exists()
