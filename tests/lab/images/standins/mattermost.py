"""Stands in for Mattermost Team Edition 11.7: its health, version and account endpoints, nothing of chat."""

import os
import threading

from accounts import Accounts
from common import NOTE, Database, LocalServer, Server, Service
from objects import Objects

VERSION = "11.7.11"
SOCKET = "/var/tmp/mattermost_local.socket"


def failure(name, message, status):
    return {"id": name, "message": message, "detailed_error": NOTE, "request_id": "", "status_code": status}


def public(user):
    roles = "system_admin system_user" if user["admin"] else "system_user"
    return {"id": user["id"], "username": user["username"], "email": user["email"], "roles": roles, "is_bot": user["bot"]}


def flag(name, default):
    return os.environ.get(f"MM_{name}", default).lower() == "true"


def admin(route):
    """For the administrator alone."""

    def checked(self, *parts):
        user = self.accounts.of_token(self.bearer())
        if not user:
            return self.send_json(401, failure("api.context.session_expired.app_error", "Invalid or expired session, please login again.", 401))
        if not user["admin"]:
            return self.send_json(403, failure("api.context.permissions.app_error", "You do not have the appropriate permissions.", 403))
        route(self, *parts)

    return checked


class Mattermost(Service):
    # <version>.<build>.<hash>.<licensed>, as the real server sends it with every reply.
    extra_headers = {"X-Version-Id": f"{VERSION}.stand-in.0.false"}
    accounts = None
    objects = None

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
        creator = self.accounts.of_token(self.bearer())
        open_to = first or bool(creator and creator["admin"])
        if not open_to and not flag("TEAMSETTINGS_ENABLEUSERCREATION", "true"):
            return self.send_json(501, failure("api.user.create_user.disabled.app_error", "User creation is disabled.", 501))
        if not open_to and not flag("TEAMSETTINGS_ENABLEOPENSERVER", "false"):
            return self.send_json(403, failure("api.user.create_user.no_open_server", "This server does not allow open signups.", 403))
        name, email, password = (str(self.body.get(key, "")) for key in ("username", "email", "password"))
        if not name or "@" not in email or len(password) < 8:
            return self.send_json(400, failure("api.user.create_user.invalid", "A user name, an address and a password of 8 characters are needed.", 400))
        user = self.accounts.create(name, email, password, admin=first, only_first=first)
        if not user:
            return self.send_json(400, failure("app.user.save.username_exists.app_error", "An account with that username already exists.", 400))
        self.send_json(201, public(user))

    def found(self, thing):
        """The thing, or what the real server says of one that is not there."""
        self.send_json(200, thing) if thing else self.send_json(404, failure("app.missing.app_error", "Unable to find it.", 404))

    def created(self, thing):
        self.send_json(201, thing) if thing else self.send_json(400, failure("app.exists.app_error", "It exists already.", 400))

    @admin
    def team_by_name(self, name):
        self.found(self.objects.find("team", "", name))

    @admin
    def create_team(self):
        body = {key: self.body.get(key, "") for key in ("name", "display_name", "type")}
        self.created(self.objects.create("team", "", body["name"], body))

    @admin
    def channel_by_name(self, team, name):
        self.found(self.objects.find("channel", team, name))

    @admin
    def create_channel(self):
        body = {key: self.body.get(key, "") for key in ("team_id", "name", "display_name", "type")}
        if not self.objects.by_id("team", body["team_id"]):
            return self.found(None)
        self.created(self.objects.create("channel", body["team_id"], body["name"], body))

    @admin
    def add_member(self, group):
        """Once or again: the answer is the same."""
        user = self.accounts.by_id(str(self.body.get("user_id", "")))
        if not user:
            return self.found(None)
        self.objects.create("member", group, user["id"], {})
        self.send_json(201, {"user_id": user["id"]})

    @admin
    def user_by_name(self, name):
        user = self.accounts.find(name)
        self.found(public(user) if user else None)

    @admin
    def set_roles(self, user):
        self.objects.create("roles", user, "roles", {})
        self.found({"status": "OK"} if self.accounts.by_id(user) else None)

    @admin
    def create_token(self, user_id):
        """Only for who has the role, as with the real server."""
        user = self.accounts.by_id(user_id)
        if not user or not self.objects.find("roles", user_id, "roles"):
            return self.send_json(403, failure("api.context.permissions.app_error", "You do not have the appropriate permissions.", 403))
        self.send_json(200, {"id": user_id, "token": self.accounts.token(user), "description": self.body.get("description", "")})

    @admin
    def hooks(self):
        team = self.query.get("team_id", "")
        channels = self.objects.of_parent("channel", team)
        self.send_json(200, [hook for channel in channels for hook in self.objects.of_parent("hook", channel["id"])])

    @admin
    def create_hook(self):
        body = {key: self.body.get(key, "") for key in ("channel_id", "display_name")}
        if not self.objects.by_id("channel", body["channel_id"]):
            return self.found(None)
        self.created(self.objects.create("hook", body["channel_id"], str(len(self.objects.of_parent("hook", body["channel_id"]))), body))

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
        ("POST", "/api/v4/teams"): create_team,
        ("POST", "/api/v4/channels"): create_channel,
        ("GET", "/api/v4/hooks/incoming"): hooks,
        ("POST", "/api/v4/hooks/incoming"): create_hook,
    }
    patterns = [
        ("GET", r"/api/v4/teams/name/([a-z0-9-]+)", team_by_name),
        ("GET", r"/api/v4/teams/([a-z0-9]+)/channels/name/([a-z0-9-]+)", channel_by_name),
        ("POST", r"/api/v4/(?:teams|channels)/([a-z0-9]+)/members", add_member),
        ("GET", r"/api/v4/users/username/([a-z0-9._-]+)", user_by_name),
        ("PUT", r"/api/v4/users/([a-z0-9]+)/roles", set_roles),
        ("POST", r"/api/v4/users/([a-z0-9]+)/tokens", create_token),
    ]


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
    Mattermost.objects = Objects(accounts.database)
    Mattermost.objects.prepare()
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
