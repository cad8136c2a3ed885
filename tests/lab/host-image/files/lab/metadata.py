#!/usr/bin/python3
"""DigitalOcean's metadata service for this one droplet, from /lab/metadata.json.

It listens on a high port of 127.0.0.1, and the unit's iptables rule leads the host's own calls of
169.254.169.254:80 here. So containers cannot reach it, and port 80 stays free to be published.
"""

import http.server
import json
import os
import socket
import sys

PORT = 8169
ROOT = "/metadata/v1"


def metadata():
    with open("/lab/metadata.json", encoding="utf-8") as file:
        facts = json.load(file)
    # cloud-init insists that the interface is on the machine.
    with open("/sys/class/net/eth0/address", encoding="utf-8") as file:
        mac = file.read().strip()
    address = {"ip_address": facts["address"], "netmask": "255.255.255.255", "gateway": facts["address"]}
    return {
        "droplet_id": facts["droplet_id"],
        "hostname": facts["hostname"],
        "region": "lab1",
        "user_data": facts["user_data"],
        "vendor_data": "",
        "public_keys": facts["public_keys"],
        "dns": {"nameservers": []},
        "floating_ip": {"ipv4": {"active": False}},
        "interfaces": {"public": [{"ipv4": address, "mac": mac, "type": "public"}]},
    }


def lookup(path):
    """The whole, or one entry of it by its path, as the real service does."""
    facts = metadata()
    if path == f"{ROOT}.json":
        return json.dumps(facts)
    here = {**facts, "id": facts["droplet_id"], "user-data": facts["user_data"], "public-keys": facts["public_keys"]}
    for step in path.removeprefix(ROOT).strip("/").split("/"):
        here = here[int(step)] if isinstance(here, list) else here[step]
    if isinstance(here, dict):
        return "\n".join(f"{name}/" if isinstance(value, (dict, list)) else name for name, value in here.items())
    return "\n".join(map(str, here)) if isinstance(here, list) else str(here)


class Service(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, text = 200, lookup(self.path)
        except (KeyError, IndexError, ValueError):
            status, text = 404, "not found"
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if self.path.endswith(".json") else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """User data holds secrets; nobody needs a log of who read them."""


def tell_systemd(word):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.sendto(word, os.environ["NOTIFY_SOCKET"])


def main():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Service)
    if "NOTIFY_SOCKET" in os.environ:
        tell_systemd(b"READY=1")
    server.serve_forever()


if __name__ == "__main__":
    sys.exit(main())
