"""What both stand-ins share: JSON over HTTP on threads, and rows in PostgreSQL."""

import http.server
import json
import re
import socketserver
import sys
import threading
import urllib.parse

import psycopg2

NOTE = "stand-in of the ipai lab, not the real product"
LONGEST_BODY = 1 << 20


class Database:
    """One connection, opened again after it broke; callers see psycopg2's errors."""

    def __init__(self, dsn):
        self.dsn = dsn
        self.lock = threading.Lock()
        self.connection = None

    def run(self, text, *values):
        """Runs one statement in a transaction of its own and gives its rows."""
        with self.lock:
            if self.connection is None or self.connection.closed:
                self.connection = psycopg2.connect(self.dsn)
            try:
                with self.connection, self.connection.cursor() as cursor:
                    cursor.execute(text, values)
                    return cursor.fetchall() if cursor.description else []
            except (psycopg2.OperationalError, psycopg2.InterfaceError):
                self.connection.close()
                raise

    def version(self):
        """The server's version, or nothing when it does not answer."""
        try:
            return self.run("SELECT version()")[0][0]
        except psycopg2.Error:
            return ""


class Service(http.server.BaseHTTPRequestHandler):
    """A request, answered by the subclass's `routes`: (method, path) to a function that answers, or by its `patterns`:
    (method, regular expression of a path, function that is given the path's parts)."""

    protocol_version = "HTTP/1.1"
    routes = {}
    patterns = []
    extra_headers = {}

    def answer(self):
        parts = urllib.parse.urlsplit(self.path)
        self.query = dict(urllib.parse.parse_qsl(parts.query))
        self.body = self.read_body()
        route = self.routes.get((self.command, parts.path)) or self.matching(parts.path)
        try:
            route(self) if route else self.catch_all(parts.path)
        except psycopg2.Error as error:
            print(f"database: {error}", file=sys.stderr, flush=True)
            self.send_json(500, self.failure("database", "the database does not answer", 500))

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = answer

    def matching(self, path):
        for method, pattern, route in self.patterns:
            found = re.fullmatch(pattern, path)
            if found and method == self.command:
                return lambda service: route(service, *found.groups())
        return None

    def read_body(self):
        length = min(int(self.headers.get("Content-Length") or 0), LONGEST_BODY)
        try:
            body = json.loads(self.rfile.read(length) or b"{}")
        except ValueError:
            body = {}
        return body if isinstance(body, dict) else {}

    def bearer(self):
        kind, _, token = self.headers.get("Authorization", "").partition(" ")
        return token if kind.lower() == "bearer" else ""

    def send_json(self, status, value, headers=()):
        self.send_bytes(status, "application/json", json.dumps(value, separators=(",", ":")).encode(), headers)

    def send_page(self, text):
        self.send_bytes(200, "text/html; charset=utf-8", f"<!doctype html><title>{text}</title><p>{text}".encode())

    def send_bytes(self, status, kind, body, headers=()):
        self.send_response(status)
        for name, value in [("Content-Type", kind), ("Content-Length", len(body)), ("X-Stand-In", NOTE), *self.extra_headers.items(), *headers]:
            self.send_header(name, str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def version_string(self):
        return "ipai-lab-stand-in"

    def log_message(self, form, *values):
        print(f"[stand-in] {form % values}", flush=True)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64


class LocalServer(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    """The same requests over a socket in the file system, which needs no password."""

    daemon_threads = True

    def get_request(self):
        request, _ = super().get_request()
        return request, ("local", 0)
