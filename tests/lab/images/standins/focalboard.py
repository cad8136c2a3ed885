"""Stands in for Focalboard 7.11: ping, configuration, registration and login, nothing of boards."""

import json
import os
import platform
import signal
import sys
import threading

import psycopg2

from accounts import Accounts
from common import NOTE, Database, Server, Service

VERSION = "7.11.4"
CONFIGURATION = "/opt/focalboard/config.json"


def failure(message, status):
    return {"error": message, "errorCode": status}


def public(user):
    return {"id": user["id"], "username": user["username"], "email": user["email"], "is_bot": False, "props": {"note": NOTE}}


def api(route):
    """Every call of the API, but for unknown ones, must show that no foreign page sent it."""

    def checked(self):
        if self.headers.get("X-Requested-With") != "XMLHttpRequest":
            return self.send_json(400, failure("checkCSRFToken FAILED", 400))
        route(self)

    return checked


class Focalboard(Service):
    accounts = None
    configuration = {}

    def ping(self):
        version = self.accounts.database.version()
        self.send_json(200, {
            "version": VERSION, "build_number": "stand-in", "build_hash": NOTE, "sku": "personal_server",
            "db_type": "postgres", "db_version": version, "os_type": "linux", "os_arch": platform.machine(),
        })

    @api
    def client_config(self):
        shared = bool(self.configuration.get("enablePublicSharedBoards"))
        self.send_json(200, {"telemetry": False, "telemetryid": "", "enablePublicSharedBoards": shared, "featureFlags": {}, "teammateNameDisplay": ""})

    @api
    def register(self):
        """The first registration needs no sign-up token, later ones do, and this stand-in gives none out."""
        name, email, password = (str(self.body.get(key, "")) for key in ("username", "email", "password"))
        if self.accounts.count() > 0:
            return self.send_json(401, failure("no sign-up token and user(s) already exist", 401))
        if not name or "@" not in email or len(password) < 8:
            return self.send_json(400, failure("username, email or password is invalid", 400))
        if not self.accounts.create(name, email, password, admin=True, only_first=True):
            return self.send_json(401, failure("no sign-up token and user(s) already exist", 401))
        self.send_json(200, {})

    @api
    def login(self):
        name = str(self.body.get("username") or self.body.get("email") or "")
        user, token = None, None
        if self.body.get("type") == "normal":
            user, token = self.accounts.login(name, str(self.body.get("password", "")))
        if not user:
            return self.send_json(401, failure("incorrect login", 401))
        self.send_json(200, {"token": token})

    @api
    def me(self):
        user = self.accounts.of_token(self.bearer())
        self.send_json(200, public(user)) if user else self.send_json(401, failure("access denied to user", 401))

    def catch_all(self, _):
        """Unknown paths, those of the API and HEAD /ping included, get the start page and a 200."""
        self.send_page(f"Focalboard: {NOTE}")

    @staticmethod
    def failure(_, message, status):
        return failure(message, status)

    routes = {
        ("GET", "/ping"): ping,
        ("GET", "/api/v2/clientConfig"): client_config,
        ("POST", "/api/v2/register"): register,
        ("POST", "/api/v2/login"): login,
        ("GET", "/api/v2/users/me"): me,
    }


def read_configuration():
    """`FOCALBOARD_<KEY>` overrides a key that the file has."""
    with open(CONFIGURATION, encoding="utf-8") as file:
        configuration = json.load(file)
    return {key: os.environ.get(f"FOCALBOARD_{key.upper()}", value) for key, value in configuration.items()}


def main():
    # As the real server: SIGINT ends it, SIGTERM does nothing.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    configuration = read_configuration()
    print(f"Focalboard {VERSION}: {NOTE}. Its configuration, which the real one prints as well: {json.dumps(configuration)}", flush=True)
    accounts = Accounts(Database(configuration["dbconfig"]))
    try:
        starts = accounts.prepare()
    except psycopg2.OperationalError as error:
        sys.exit(f"no database: {error}")
    print(f"Start number {starts} on this database.", flush=True)
    Focalboard.accounts, Focalboard.configuration = accounts, configuration
    server = Server(("", int(configuration.get("port", 8000))), Focalboard)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    signal.sigwait({signal.SIGINT})


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    main()
