"""The command line: every command is registered here, none is defined here."""

from typing import Annotated

import typer

from flexrestore import __version__
from flexrestore.arguments import command, spread
from flexrestore.commands import catalog, decisions, reports, restores
from flexrestore.exits import Exit
from flexrestore.session import Surroundings
from flexrestore.settings import Settings

_EXIT_CODES = "\n".join(["Exit codes:", *(f"{code.value:>3}  {code.meaning}" for code in Exit)])
_COMMANDS = {
    "Look": (catalog.instances, catalog.points, catalog.targets, catalog.health),
    "Restore": (restores.plan, restores.restore, restores.list_restores, restores.show, restores.wait, reports.report),
    "Decide": (decisions.approve, decisions.reject, decisions.cancel, decisions.retry),
}

app = typer.Typer(
    name="flexrestore",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # its tracebacks show variables, and one of them is the key
    context_settings={"help_option_names": ["--help", "-h"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"flexrestore {__version__}")
        raise typer.Exit


def root(
    ctx: typer.Context,
    settings: Settings,
    _version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop.")
    ] = False,
) -> None:
    """Restores backups of Azure Database for PostgreSQL flexible servers."""
    ctx.obj = (settings, ctx.obj or Surroundings())


app.callback()(spread(root))
for panel, functions in _COMMANDS.items():
    for function in functions:
        app.command(function.__name__.removesuffix("_restores"), rich_help_panel=panel)(command(function))
