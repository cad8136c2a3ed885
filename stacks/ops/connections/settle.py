"""Makes what the Odoo side needs of each service, and keeps it; a second run finds everything and changes nothing.

Runs at every deploy, before Caddy opens the sites. What a service gives out once (Mattermost's token, n8n's key) is
kept in `connections/odoo.json` on the host, readable by root alone, for as long as the service honours it.

A service that is ill is left for its own health check to name; one that answers and refuses is an error.
"""

import json
import os
import pathlib
import sys
import time
import urllib.error
import urllib.request

KEPT = pathlib.Path("/connections/odoo.json")
SECONDS_FOR_A_START = 300


class Refused(Exception):
    """A service answered, and not as it must."""


class Absent(Exception):
    """A service does not answer."""


def ask(method, url, body=None, headers=(), accept=(200, 201)):
    """Gives status, headers and JSON of an answer whose status is accepted."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, method=method)
    for name, value in {"Content-Type": "application/json", **dict(headers)}.items():
        request.add_header(name, value)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            status, fields, text = answer.status, answer.headers, answer.read(1 << 20)
    except urllib.error.HTTPError as error:
        status, fields, text = error.code, error.headers, error.read(1 << 20)
    except OSError as error:
        raise Absent(f"{method} {url}: {error}") from error
    if status >= 500:
        raise Absent(f"{method} {url} answered {status}")
    if status not in accept:
        raise Refused(f"{method} {url} answered {status}: {text[:300].decode(errors='replace')}")
    try:
        return status, fields, json.loads(text or b"null")
    except ValueError:
        raise Refused(f"{method} {url} answered {status} without JSON") from None


def is_valid(url, headers):
    """Tells whether a service honours these credentials."""
    return ask("GET", url, headers=headers, accept=(200, 401, 403))[0] == 200


class Mattermost:
    name = "mattermost"
    url = "http://mattermost:8065/api/v4"
    ready = "http://mattermost:8065/api/v4/system/ping?get_server_status=true"

    def settle(self, kept):
        login = {"login_id": os.environ["ADMIN_USER"], "password": os.environ["MATTERMOST_ADMIN_PASSWORD"]}
        status, fields, _ = ask("POST", f"{self.url}/users/login", login, accept=(200, 401))
        if status == 401:
            advice = "mmctl --local user change-password sets what the stack says"
            raise Refused(f"the administrator {login['login_id']} has another password than the stack; {advice}")
        self.admin = {"Authorization": f"Bearer {fields['Token']}"}
        team = self.found("teams/name/ops") or self.made(
            "teams", name="ops", display_name="Operations", type="I"
        )
        channel = self.found(f"teams/{team['id']}/channels/name/odoo") or self.made(
            "channels", team_id=team["id"], name="odoo", display_name="Odoo", type="O"
        )
        user = self.found("users/username/odoo") or self.made(
            "users", username="odoo", email=os.environ["ODOO_EMAIL"], password=os.environ["MATTERMOST_ODOO_PASSWORD"]
        )
        self.made(f"teams/{team['id']}/members", team_id=team["id"], user_id=user["id"])
        self.made(f"channels/{channel['id']}/members", user_id=user["id"])
        return {
            "team_id": team["id"],
            "channel_id": channel["id"],
            "token": self.token(user, kept.get("token")),
            "webhook_url": f"https://chat.{os.environ['DOMAIN']}/hooks/{self.webhook(team, channel)}",
        }

    def found(self, path):
        status, _, body = ask("GET", f"{self.url}/{path}", headers=self.admin, accept=(200, 404))
        return body if status == 200 else None

    def made(self, path, **body):
        return ask("POST", f"{self.url}/{path}", body, self.admin)[2]

    def token(self, user, kept):
        """A personal token is shown once and lasts until somebody revokes it."""
        if kept and is_valid(f"{self.url}/users/me", {"Authorization": f"Bearer {kept}"}):
            return kept
        roles = {"roles": "system_user system_user_access_token"}
        ask("PUT", f"{self.url}/users/{user['id']}/roles", roles, self.admin)
        return self.made(f"users/{user['id']}/tokens", description="odoo-connector")["token"]

    def webhook(self, team, channel):
        hooks = ask("GET", f"{self.url}/hooks/incoming?team_id={team['id']}&per_page=200", headers=self.admin)[2]
        for hook in hooks:
            if hook["display_name"] == "odoo" and hook["channel_id"] == channel["id"]:
                return hook["id"]
        return self.made("hooks/incoming", channel_id=channel["id"], display_name="odoo")["id"]


class Focalboard:
    name = "focalboard"
    url = "http://focalboard:8000/api/v2"
    ready = "http://focalboard:8000/ping"
    header = {"X-Requested-With": "XMLHttpRequest"}

    def settle(self, kept):
        """There are no lasting tokens: a session that is used at least every thirty days stays."""
        token = kept.get("token")
        if not token or not is_valid(f"{self.url}/users/me", {**self.header, "Authorization": f"Bearer {token}"}):
            login = {
                "type": "normal",
                "username": os.environ["ADMIN_USER"],
                "password": os.environ["FOCALBOARD_ADMIN_PASSWORD"],
            }
            token = ask("POST", f"{self.url}/login", login, self.header)[2]["token"]
        return {"token": token}


class N8n:
    name = "n8n"
    url = "http://n8n:5678"
    ready = "http://n8n:5678/healthz/readiness"
    cookie = None

    def settle(self, kept):
        scopes = ["workflow:list", "workflow:read", "execution:list", "execution:read"]
        return {"api_key": self.key("odoo", kept.get("api_key"), scopes)}

    def key(self, label, kept, scopes):
        """A key is shown once; a second one of the same label is refused, so a lost one is removed first."""
        if kept and is_valid(f"{self.url}/api/v1/workflows?limit=1", {"X-N8N-API-KEY": kept}):
            return kept
        session = self.session()
        keys = ask("GET", f"{self.url}/rest/api-keys", headers=session)[2]["data"]
        for key in keys if isinstance(keys, list) else keys.get("items", []):
            if key["label"] == label:
                ask("DELETE", f"{self.url}/rest/api-keys/{key['id']}", headers=session)
        wanted = {"label": label, "expiresAt": None, "scopes": scopes}
        return ask("POST", f"{self.url}/rest/api-keys", wanted, session)[2]["data"]["rawApiKey"]

    def session(self):
        if not self.cookie:
            login = {"emailOrLdapLoginId": os.environ["ADMIN_EMAIL"], "password": os.environ["N8N_OWNER_PASSWORD"]}
            fields = ask("POST", f"{self.url}/rest/login", login)[1]
            self.cookie = next(c.split(";")[0] for c in fields.get_all("Set-Cookie", []) if c.startswith("n8n-auth="))
        return {"Cookie": self.cookie}


class Superset:
    name = "superset"
    url = "http://superset:8088"
    ready = "http://superset:8088/login/"

    def settle(self, kept):
        """The user comes from superset-init; here it shows that it can log in."""
        login = {
            "username": "odoo",
            "password": os.environ["SUPERSET_ODOO_PASSWORD"],
            "provider": "db",
            "refresh": False,
        }
        ask("POST", f"{self.url}/api/v1/security/login", login)
        return {"username": login["username"], "password": login["password"]}


def is_ready(url):
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status == 200
    except OSError:
        return False


def wait_for(service, until):
    while not is_ready(service.ready):
        if time.monotonic() > until:
            raise Absent(f"{service.ready} is not ready")
        time.sleep(2)


def read_kept():
    try:
        kept = json.loads(KEPT.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def keep(facts):
    """Writes them whole or not at all."""
    text = json.dumps(facts, indent=2, sort_keys=True) + "\n"
    if KEPT.exists() and KEPT.read_text(encoding="utf-8") == text:
        return
    new = KEPT.with_suffix(".new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.rename(KEPT)


def main():
    facts, failed = read_kept(), False
    until = time.monotonic() + SECONDS_FOR_A_START
    for service in (Mattermost(), Focalboard(), N8n(), Superset()):
        before = facts.get(service.name, {})
        try:
            wait_for(service, until)
            facts[service.name] = service.settle(before)
            keep(facts)
            print(f"{service.name}: {'as before' if facts[service.name] == before else 'settled'}")
        except Absent as error:
            print(f"{service.name}: does not answer, and is left as it is: {error}", file=sys.stderr)
        except (Refused, KeyError, StopIteration) as error:
            print(f"{service.name}: {error!r}", file=sys.stderr)
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
