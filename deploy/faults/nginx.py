"""The private nginx of a data directory, seen past its controllers; and what stands between it and them."""

import http.client
import json
import os
import socket
import struct
import threading
import time

from broken import Broken, until


class UnixConnection(http.client.HTTPConnection):
    """HTTP over the socket at a path."""

    def __init__(self, path, timeout=60):
        super().__init__("localhost", timeout=timeout)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Held:
    """A change that a controller has sent and nginx has not got: as of one that stopped while it was under way."""

    def __init__(self, path, body):
        self.path, self.body = path, body
        self.may_go = threading.Event()
        # nginx' answer, once it has got it.
        self.status = None

    @property
    def generation(self):
        return json.loads(self.body)["generation"]


class Nginx:
    """Takes what controllers say to nginx' control socket, hands it on, and holds back what it is told to."""

    def __init__(self, data, backend):
        self.backend = backend
        self.front = data / "platform/nginx/control/socket"
        self.socket = self.front.with_name("socket.nginx")
        # Whose next change of weights is held, by process; and that change.
        self.wanted = self.held = None
        # Each route that nginx was seen to obey, in order.
        self.routes = []
        self.is_open = True
        if not until(20, self.front.exists):
            raise Broken(f"nginx has no control socket at {self.front}")
        os.rename(self.front, self.socket)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.front))
        self.listener.listen(64)
        for work in (self.accept, self.watch):
            threading.Thread(target=work, daemon=True).start()

    def close(self):
        """Leaves the socket to nginx again, whose path it is."""
        self.is_open = False
        self.listener.close()
        os.rename(self.socket, self.front)

    # What it obeys

    def ask(self, method, path, body=None):
        """The status and the text of nginx' own answer."""
        connection = UnixConnection(self.socket)
        try:
            connection.request(method, path, body, {"Content-Type": "application/json", "Connection": "close"})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def route(self):
        """The route that it obeys; empty if there is none."""
        return json.loads(self.ask("GET", "/state")[1])["backends"].get(self.backend, {}).get("route") or {}

    def watch(self):
        while self.is_open:
            try:
                route = self.route()
            except (OSError, http.client.HTTPException, ValueError):
                # While it is being reloaded, or is gone.
                route = None
            if route and (not self.routes or self.routes[-1] != route):
                self.routes.append(route)
            time.sleep(0.01)

    def check(self, decided):
        """Nothing that was set was taken back, and nothing was set that was not decided: weights by generation."""
        place = (0, 0)
        for route in self.routes:
            then = (route.get("epoch", 0), route["generation"])
            if then < place:
                raise Broken(f"nginx went back from epoch {place[0]}, generation {place[1]} to {route}")
            place = then
            if decided.get(route["generation"]) != route["canary"]:
                raise Broken(f"nginx obeyed {route}; decided was {decided.get(route['generation'])}")

    # What comes to it

    def hold(self, process):
        """Holds the next change of weights by a process, once it has come; it."""
        self.held, self.wanted = None, process.pid
        if not until(30, lambda: self.held):
            raise Broken(f"process {process.pid} changed no weight within 30 s")
        return self.held

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.converse, args=(client,), daemon=True).start()

    def converse(self, client):
        """One request, as controllers make it: each on a connection of its own."""
        client.settimeout(60)
        pid, _, _ = struct.unpack("3i", client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        with client, client.makefile("rb") as text:
            try:
                method, path, _ = text.readline().decode().split(" ")
                headers = http.client.parse_headers(text)
                body = text.read(int(headers.get("Content-Length", 0)))
                status, answer = self.hand_on(pid, method, path, body)
                client.sendall(f"HTTP/1.1 {status} -\r\nContent-Type: application/json\r\nContent-Length: {len(answer)}"
                               "\r\nConnection: close\r\n\r\n".encode() + answer)
            except (OSError, ValueError, http.client.HTTPException):
                # One of the two is gone; the other notices.
                pass

    def hand_on(self, pid, method, path, body):
        held = None
        if method == "PUT" and path.startswith("/route") and self.wanted == pid:
            self.wanted, self.held = None, (held := Held(path, body))
            held.may_go.wait(120)
        status, answer = self.ask(method, path, body)
        if held:
            held.status = status
        return status, answer
