"""Brings Superset's database to this image's version; must end before Superset serves.

Migrations, the administrator, roles and permissions: each step is safe to repeat, together they take half
a minute. So the last step leaves a mark, a comment on the database itself, and a run that finds its own
mark ends at once. A database that is dropped and restored has lost the comment, and is done anew.
"""

import hashlib
import hmac
import os
import subprocess
import sys

import psycopg2
from psycopg2 import sql


def mark() -> str:
    """Digest of all that the steps depend on, keyed because a password is among it."""
    names = ["IMAGE_VERSION", "ADMIN_USERNAME", "ADMIN_EMAIL", "ADMIN_PASSWORD", "ODOO_EMAIL", "ODOO_PASSWORD"]
    facts = "\n".join(os.environ[f"SUPERSET_{name}"] for name in names)
    key = os.environ["SUPERSET_SECRET_KEY"].encode()
    return "superset-init " + hmac.new(key, facts.encode(), hashlib.sha256).hexdigest()


def connect():
    uri = os.environ["SUPERSET_DATABASE_URI"]
    return psycopg2.connect(uri.replace("postgresql+psycopg2://", "postgresql://", 1))


def read_mark() -> str | None:
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database"
            " WHERE datname = current_database()"
        )
        return cursor.fetchone()[0]


def write_mark() -> None:
    with connect() as connection, connection.cursor() as cursor:
        cursor.execute("SELECT current_database()")
        database = sql.Identifier(cursor.fetchone()[0])
        cursor.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(database, sql.Literal(mark())))


def settle_user(users, username: str, email: str, password: str, role) -> None:
    """Creates a user or sets the password; Superset's own commands take it as an argument only."""
    user = users.find_user(username=username)
    if user:
        users.reset_password(user.id, password)
    elif not users.add_user(username, "Operations", username.capitalize(), email, role, password=password):
        sys.exit(f"Superset refused to create the user {username} with the address {email}")


def settle_users() -> None:
    """The administrator, and the user by whom Odoo shows dashboards: it reads, and gives guests their tokens."""
    from superset.app import create_app

    app = create_app()
    with app.app_context():
        users = app.appbuilder.sm
        environment = os.environ
        settle_user(
            users,
            environment["SUPERSET_ADMIN_USERNAME"],
            environment["SUPERSET_ADMIN_EMAIL"],
            environment["SUPERSET_ADMIN_PASSWORD"],
            users.find_role("Admin"),
        )
        guests = users.add_role("Embedding")
        users.add_permission_role(guests, users.find_permission_view_menu("can_grant_guest_token", "SecurityRestApi"))
        settle_user(
            users,
            "odoo",
            environment["SUPERSET_ODOO_EMAIL"],
            environment["SUPERSET_ODOO_PASSWORD"],
            [users.find_role("Gamma"), guests],
        )


def main() -> None:
    if read_mark() == mark():
        print("superset_db: as left by an earlier run")
        return
    subprocess.run(["superset", "db", "upgrade"], check=True)
    subprocess.run(["superset", "init"], check=True)
    settle_users()
    write_mark()


if __name__ == "__main__":
    main()
