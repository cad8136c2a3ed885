"""Users and their tokens, as rows in the service's own database."""

import hashlib
import hmac
import secrets

TABLES = """
CREATE TABLE IF NOT EXISTS standin_users (
    id text PRIMARY KEY, username text UNIQUE NOT NULL, email text UNIQUE NOT NULL,
    password text NOT NULL, admin boolean NOT NULL, bot boolean NOT NULL DEFAULT false);
CREATE TABLE IF NOT EXISTS standin_tokens (digest text PRIMARY KEY, user_id text NOT NULL REFERENCES standin_users);
CREATE TABLE IF NOT EXISTS standin_facts (name text PRIMARY KEY, value text NOT NULL);
"""
COLUMNS = "id, username, email, password, admin, bot"


def new_id():
    """Twenty-six characters, as long as the ids of both products."""
    return secrets.token_hex(13)


def digest(token):
    return hashlib.sha256(token.encode()).hexdigest()


def hash_password(password, salt=None):
    salt = salt or secrets.token_hex(16)
    key = hashlib.scrypt(password.encode(), salt=salt.encode(), n=2**14, r=8, p=1)
    return f"{salt}${key.hex()}"


class Accounts:
    def __init__(self, database):
        self.database = database

    def prepare(self):
        """Makes the tables, and counts the starts in a row that outlives the container."""
        self.database.run(TABLES)
        return self.database.run(
            "INSERT INTO standin_facts VALUES ('starts', '1') ON CONFLICT (name)"
            " DO UPDATE SET value = (standin_facts.value::int + 1)::text RETURNING value"
        )[0][0]

    def count(self):
        return self.database.run("SELECT count(*) FROM standin_users")[0][0]

    def find(self, name):
        """By user name or address."""
        rows = self.database.run(f"SELECT {COLUMNS} FROM standin_users WHERE %s IN (username, email)", name)
        return self.named(rows)

    def create(self, username, email, password, admin, only_first=False):
        """Gives the new user, or nothing when the name is taken, or there is a user although this shall be the first."""
        condition = "WHERE NOT EXISTS (SELECT FROM standin_users)" if only_first else ""
        rows = self.database.run(
            f"INSERT INTO standin_users SELECT %s, %s, %s, %s, %s, false {condition}"
            f" ON CONFLICT DO NOTHING RETURNING {COLUMNS}",
            new_id(), username, email, hash_password(password), admin,
        )
        return self.named(rows)

    def convert_to_bot(self, user):
        self.database.run("UPDATE standin_users SET bot = true WHERE id = %s", user["id"])

    def login(self, name, password):
        """A new token for who knows the password."""
        user = self.find(name)
        if not user:
            return None, None
        salt = user["password"].partition("$")[0]
        if not hmac.compare_digest(hash_password(password, salt), user["password"]):
            return None, None
        return user, self.token(user)

    def token(self, user):
        token = new_id()
        self.database.run("INSERT INTO standin_tokens VALUES (%s, %s)", digest(token), user["id"])
        return token

    def of_token(self, token):
        rows = self.database.run(
            f"SELECT {COLUMNS} FROM standin_users WHERE id = (SELECT user_id FROM standin_tokens WHERE digest = %s)",
            digest(token),
        )
        return self.named(rows)

    def by_id(self, user_id):
        return self.named(self.database.run(f"SELECT {COLUMNS} FROM standin_users WHERE id = %s", user_id))

    @staticmethod
    def named(rows):
        return dict(zip(COLUMNS.split(", "), rows[0])) if rows else None
