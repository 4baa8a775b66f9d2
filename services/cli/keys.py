"""Commands about API keys: create, list, revoke."""

from __future__ import annotations

import typer

from services.cli.listing import listing, print_listing
from services.cli.process import database_url
from services.domain.access import Scope

app = typer.Typer(
    no_args_is_help=True,
    help="Make, list or revoke the keys with which people and programs use the API and the console.",
)


@app.command("create")
def create(
    name: str = typer.Argument(help="Who will use it; stands in the log of what the key did."),
    scope: list[Scope] = typer.Option(
        [Scope.READ],
        help="What it may do: read; operate (also acknowledge, resolve); admin. Each includes the ones before.",
    ),
) -> None:
    """Make a key and show it, this once: only its hash is stored."""
    from services.store.api_keys import ApiKeyRepository
    from services.store.connection import connect, transaction

    with connect(database_url(), "citygauge-keys", autocommit=True) as conn, transaction(conn):
        secret = ApiKeyRepository(conn).create(name, tuple(each.value for each in scope))
    typer.echo(secret)
    typer.echo("Keep it: it is not shown again.", err=True)


@app.command("list")
def list_() -> None:
    """List the keys, without their secrets."""

    from services.store.api_keys import ApiKeyRepository
    from services.store.connection import connect

    with connect(database_url(), "citygauge-keys", autocommit=True) as conn:
        keys = ApiKeyRepository(conn).list()
    table = listing("name", "scopes", "created", "revoked")
    for key in keys:
        revoked = "" if key.revoked_at is None else f"{key.revoked_at:%Y-%m-%d %H:%M}Z"
        table.add_row(key.name, " ".join(key.scopes), f"{key.created_at:%Y-%m-%d %H:%M}Z", revoked)
    print_listing(table)


@app.command("revoke")
def revoke(name: str = typer.Argument(help="The key's name, as `keys list` shows it.")) -> None:
    """End a key. The API forgets it within a few seconds."""
    from services.domain.errors import InvalidInput
    from services.store.api_keys import ApiKeyRepository
    from services.store.connection import connect, transaction

    with connect(database_url(), "citygauge-keys", autocommit=True) as conn, transaction(conn):
        keys = ApiKeyRepository(conn)
        found = [key for key in keys.list() if key.name == name and key.revoked_at is None]
        if not found:
            raise InvalidInput(
                "name", name, "a key that `citygauge keys list` shows as not revoked"
            )
        keys.revoke(found[0].id)
    typer.echo(f"{name} is revoked")
