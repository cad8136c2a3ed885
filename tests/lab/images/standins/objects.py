"""Mattermost's teams, channels and incoming webhooks, as rows: enough to be found again, nothing of chat."""

import json

from accounts import new_id

TABLE = """
CREATE TABLE IF NOT EXISTS standin_objects (
    id text PRIMARY KEY, kind text NOT NULL, parent text NOT NULL, name text NOT NULL, body text NOT NULL,
    UNIQUE (kind, parent, name));
"""


class Objects:
    def __init__(self, database):
        self.database = database

    def prepare(self):
        self.database.run(TABLE)

    def find(self, kind, parent, name):
        rows = self.database.run(
            "SELECT body FROM standin_objects WHERE kind = %s AND parent = %s AND name = %s", kind, parent, name
        )
        return json.loads(rows[0][0]) if rows else None

    def of_parent(self, kind, parent):
        rows = self.database.run("SELECT body FROM standin_objects WHERE kind = %s AND parent = %s", kind, parent)
        return [json.loads(body) for (body,) in rows]

    def by_id(self, kind, object_id):
        rows = self.database.run("SELECT body FROM standin_objects WHERE kind = %s AND id = %s", kind, object_id)
        return json.loads(rows[0][0]) if rows else None

    def create(self, kind, parent, name, body):
        """Gives the new object, or nothing when its name is taken."""
        made = {"id": new_id(), **body}
        rows = self.database.run(
            "INSERT INTO standin_objects VALUES (%s, %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING id",
            made["id"], kind, parent, name, json.dumps(made),
        )
        return made if rows else None
