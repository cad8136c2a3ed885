"""Stands in for Mattermost Team Edition 11.7: its health, version and account endpoints, nothing of chat."""

import os
import threading

from accounts import Accounts
from common import NOTE, Database, LocalServer, Server, Service

VERSION = "11.7.11"
SOCKET = "/var/tmp/mattermost_local.socket"


def failure(name, message, status):
    return {"id": name, "message": message, "detailed_error": NOTE, "request_id": "", "status_code": status}


def public(user):
    roles = "system_admin system_user" if user["admin"] else "system_user"
    return {"id": user["id"], "username": user["username"], "email": user["email"], "roles": roles, "is_bot": user["bot"]}


def flag(name, default):
    return os.environ.get(f"MM_{name}", default).lower() == "true"


class Mattermost(Service):
    # <version>.<build>.<hash>.<licensed>, as the real server sends it with every reply.
    extra_headers = {"X-Version-Id": f"{VERSION}.stand-in.0.false"}
    accounts = None

    def ping(self):
        if self.query.get("get_server_status") != "true":
            return self.send_json(200, {"status": "OK", "note": NOTE})
        database = "OK" if self.accounts.database.version() else "UNHEALTHY"
        files = "OK" if os.access("/mattermost/data", os.W_OK) else "UNHEALTHY"
        well = database == files == "OK"
        body = {"status": "OK" if well else "UNHEALTHY", "database_status": database, "filestore_status": files, "note": NOTE}
        self.send_json(200 if well else 500, body)

    def client_config(self):
        self.send_json(200, {"Version": VERSION, "BuildNumber": "stand-in", "BuildHash": NOTE, "BuildEnterpriseReady": "false",
                             "SiteURL": os.environ.get("MM_SERVICESETTINGS_SITEURL", "")})

    def me(self):
        user = self.accounts.of_token(self.bearer())
        if not user:
            return self.send_json(401, failure("api.context.session_expired.app_error", "Invalid or expired session, please login again.", 401))
        self.send_json(200, public(user))

    def login(self):
        user, token = self.accounts.login(str(self.body.get("login_id", "")), str(self.body.get("password", "")))
        if not user:
            return self.send_json(401, failure("api.user.login.invalid_credentials_email_username", "Enter a valid email or username and/or password.", 401))
        self.send_json(200, public(user), [("Token", token)])

    def create_user(self):
        """Whoever comes first becomes administrator; later ones need an open server."""
        first = self.accounts.count() == 0
        if not first and not flag("TEAMSETTINGS_ENABLEUSERCREATION", "true"):
            return self.send_json(501, failure("api.user.create_user.disabled.app_error", "User creation is disabled.", 501))
        if not first and not flag("TEAMSETTINGS_ENABLEOPENSERVER", "false"):
            return self.send_json(403, failure("api.user.create_user.no_open_server", "This server does not allow open signups.", 403))
        name, email, password = (str(self.body.get(key, "")) for key in ("username", "email", "password"))
        if not name or "@" not in email or len(password) < 8:
            return self.send_json(400, failure("api.user.create_user.invalid", "A user name, an address and a password of 8 characters are needed.", 400))
        user = self.accounts.create(name, email, password, admin=first, only_first=first)
        if not user:
            return self.send_json(400, failure("app.user.save.username_exists.app_error", "An account with that username already exists.", 400))
        self.send_json(201, public(user))

    def catch_all(self, path):
        if path.startswith("/api/"):
            return self.send_json(404, failure("api.context.404.app_error", f"Sorry, we could not find {path}.", 404))
        self.send_page(f"Mattermost: {NOTE}")

    @staticmethod
    def failure(name, message, status):
        return failure(f"app.{name}.app_error", message, status)

    routes = {
        ("GET", "/api/v4/system/ping"): ping,
        ("GET", "/api/v4/config/client"): client_config,
        ("GET", "/api/v4/users/me"): me,
        ("POST", "/api/v4/users/login"): login,
        ("POST", "/api/v4/users"): create_user,
    }


class Local(Mattermost):
    """What mmctl asks; whoever can open the socket is administrator."""

    def search(self):
        user = self.accounts.find(self.query.get("name", ""))
        self.send_json(200, [public(user)] if user else [])

    def create(self):
        wanted = self.body
        user = self.accounts.create(wanted["username"], wanted["email"], wanted["password"], bool(wanted.get("admin")))
        self.send_json(201, public(user)) if user else self.send_json(400, failure("app.user.save.username_exists.app_error", "An account with that username already exists.", 400))

    def token(self):
        user = self.accounts.find(str(self.body.get("username", "")))
        if not user:
            return self.send_json(404, failure("app.user.missing_account.const", "Unable to find the user.", 404))
        self.send_json(200, {"token": self.accounts.token(user), "description": self.body.get("description", "")})

    def convert(self):
        user = self.accounts.find(str(self.body.get("username", "")))
        if not user:
            return self.send_json(404, failure("app.user.missing_account.const", "Unable to find the user.", 404))
        self.accounts.convert_to_bot(user)
        self.send_json(200, public(user) | {"is_bot": True})

    routes = Mattermost.routes | {
        ("GET", "/local/users"): search,
        ("POST", "/local/users"): create,
        ("POST", "/local/tokens"): token,
        ("POST", "/local/bots"): convert,
    }


def main():
    accounts = Accounts(Database(os.environ["MM_SQLSETTINGS_DATASOURCE"]))
    starts = accounts.prepare()
    print(f"Mattermost {VERSION}: {NOTE}. Start number {starts} on this database.", flush=True)
    Mattermost.accounts = accounts
    if flag("SERVICESETTINGS_ENABLELOCALMODE", "true"):
        if os.path.exists(SOCKET):
            os.unlink(SOCKET)
        local = LocalServer(SOCKET, Local)
        os.chmod(SOCKET, 0o600)
        threading.Thread(target=local.serve_forever, daemon=True).start()
    host, _, port = os.environ.get("MM_SERVICESETTINGS_LISTENADDRESS", ":8065").rpartition(":")
    Server((host, int(port)), Mattermost).serve_forever()


if __name__ == "__main__":
    main()
