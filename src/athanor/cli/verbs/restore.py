"""athanor restore: a backup in place of the current objects."""

from __future__ import annotations

from pathlib import Path

import click

from athanor.cli import show
from athanor.cli.failures import Failure
from athanor.cli.verb import verb
from athanor.cli.world import World


@verb(examples="athanor down\nathanor restore /mnt/backups/athanor-monday.db\nathanor up --detach")
@click.argument("file", metavar="FILE")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
def command(world: World, file: str, yes: bool) -> None:
    """Put a backup in place of the current objects.

    The platform must be down. What was there is kept beside it as store.db.before-restore.
    """
    from athanor.assembly import copies, processes
    from athanor.assembly.layout import DataDir
    from athanor.cli.verbs.delete import confirm

    path = Path(file).expanduser().absolute()
    if not path.is_file():
        raise Failure(f"{path} does not exist or is no file")
    data = DataDir(world.data)
    if processes.held(data.lock):
        raise Failure(f"the platform of {data.root} is up", hint="athanor down ends it first")
    if not yes:
        confirm(f"replace all objects in {data.root} by those of {path}?")
    try:
        found = copies.restore(data, path)
    except copies.Refused as refused:
        raise Failure(str(refused), hint="nothing was changed") from None
    show.line(f"the objects of {path} are in place: {found}")
