"""athanor backup: a consistent copy of all objects, while the platform runs."""

from __future__ import annotations

from pathlib import Path

import click

from athanor.cli import show
from athanor.cli.failures import Failure
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(examples="athanor backup /mnt/backups/athanor-monday.db")
@click.argument("file", metavar="FILE")
def command(world: World, file: str) -> None:
    """Write a consistent copy of all objects, while running.

    Keys and pods' files are no part of it.
    """

    from athanor.assembly import copies
    from athanor.assembly.layout import DataDir

    path = Path(file).expanduser().absolute()
    try:
        size = copies.backup(DataDir(world.data), path)
    except copies.Refused as refused:
        raise Failure(str(refused)) from None
    show.line(f"{path} written, {size / (1 << 20):.1f} MiB")
