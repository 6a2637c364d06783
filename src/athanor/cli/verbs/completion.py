"""athanor completion: the script that makes a shell complete verbs and options."""

from __future__ import annotations

import click

from athanor.cli.verb import verb
from athanor.cli.world import World

EXAMPLES = """\
athanor completion bash > ~/.local/share/bash-completion/completions/athanor
athanor completion zsh > ~/.zfunc/_athanor
athanor completion fish > ~/.config/fish/completions/athanor.fish"""


@verb(examples=EXAMPLES)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def command(world: World, shell: str) -> None:
    """Print the completion script of a shell."""
    from click.shell_completion import get_completion_class

    from athanor.cli.root import root

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(root, {}, "athanor", "_ATHANOR_COMPLETE").source())
