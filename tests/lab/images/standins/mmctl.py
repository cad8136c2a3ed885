"""The part of mmctl that the stack uses, over the stand-in's local socket."""

import argparse
import http.client
import json
import socket
import sys

from common import NOTE
from mattermost import SOCKET, VERSION


class LocalConnection(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(10)
        self.sock.connect(SOCKET)


def call(method, path, body=None):
    connection = LocalConnection("localhost")
    connection.request(method, path, json.dumps(body or {}), {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, json.loads(response.read())


def system_status(_):
    return call("GET", "/api/v4/system/ping?get_server_status=true")


def system_version(_):
    return 200, {"version": VERSION, "note": NOTE}


def user_search(chosen):
    found = [user for name in chosen.names for user in call("GET", f"/local/users?name={name}")[1]]
    return (200 if found else 404), found


def user_create(chosen):
    wanted = {"email": chosen.email, "username": chosen.username, "password": chosen.password, "admin": chosen.system_admin}
    return call("POST", "/local/users", wanted)


def user_convert(chosen):
    return call("POST", "/local/bots", {"username": chosen.username})


def token_generate(chosen):
    return call("POST", "/local/tokens", {"username": chosen.username, "description": chosen.description})


def parser():
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument("--local", action="store_true", default=argparse.SUPPRESS)
    everywhere.add_argument("--json", action="store_true", default=argparse.SUPPRESS)
    top = argparse.ArgumentParser("mmctl", description=NOTE, parents=[everywhere])
    nouns = top.add_subparsers(required=True)

    def noun(name, **verbs):
        group = nouns.add_parser(name, parents=[everywhere]).add_subparsers(required=True)
        for verb, describe in verbs.items():
            describe(group.add_parser(verb, parents=[everywhere]))

    def simple(run):
        return lambda verb: verb.set_defaults(run=run)

    def search(verb):
        verb.add_argument("names", nargs="+")
        verb.set_defaults(run=user_search)

    def create(verb):
        for name in ("--email", "--username", "--password"):
            verb.add_argument(name, required=True)
        for name in ("--system-admin", "--email-verified", "--disable-welcome-email"):
            verb.add_argument(name, action="store_true")
        verb.set_defaults(run=user_create)

    def convert(verb):
        verb.add_argument("username")
        verb.add_argument("--bot", action="store_true", required=True)
        verb.set_defaults(run=user_convert)

    def generate(verb):
        verb.add_argument("username")
        verb.add_argument("description", nargs="?", default="")
        verb.set_defaults(run=token_generate)

    noun("system", status=simple(system_status), version=simple(system_version))
    noun("user", search=search, create=create, convert=convert)
    noun("token", generate=generate)
    return top


def main():
    chosen = parser().parse_args()
    if not getattr(chosen, "local", False):
        sys.exit("Error: this stand-in of mmctl speaks over the local socket alone; add --local")
    try:
        status, answer = chosen.run(chosen)
    except OSError as error:
        sys.exit(f"Error: the server does not answer on {SOCKET}: {error}")
    print(json.dumps(answer, indent=None if getattr(chosen, "json", False) else 2))
    sys.exit(0 if status < 400 else 1)


if __name__ == "__main__":
    main()
