"""completion: let the shell finish commands, options and values."""

import click
from click.shell_completion import get_completion_class


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    r"""Print the completion script for SHELL.

    \b
    bash:  entrepot completion bash > ~/.local/share/bash-completion/completions/entrepot
    zsh:   entrepot completion zsh > "${fpath[1]}/_entrepot"
    fish:  entrepot completion fish > ~/.config/fish/completions/entrepot.fish
    """
    from entrepot.cli.main import entrepot

    made = get_completion_class(shell)
    assert made is not None
    click.echo(made(entrepot, {}, "entrepot", "_ENTREPOT_COMPLETE").source())
