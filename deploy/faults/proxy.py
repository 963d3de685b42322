"""Stands between instances and the server, and hurts: cuts after the commit, before the reply; or halts before the end."""

import os
import socket
import struct
import threading


class Cut(Exception):
    """The connection is to end here."""


class Halt:
    """A call whose last message, the Sync that ends it, comes late: as from a client that stopped while it sent."""

    def __init__(self):
        self.is_reached, self.may_end = threading.Event(), threading.Event()


class Proxy:
    """Listens beside the server's socket; while it is armed, chance decides over each call that appends.

    PostgreSQL's protocol is read as far as needed: which statement a Sync ends, and where the reply to it ends.
    """

    # A call with an event in it is longer; those that only warm the server's plans up are not.
    LONG = 300

    def __init__(self, folder, server, rng):
        self.rng = rng
        self.server = str(server.socket / ".s.PGSQL.5432")
        self.address = f"host={folder} port=5432 user=postgres"
        self.is_armed = False
        self.lock = threading.Lock()
        # Committed and not told; never sent to the server; cut while the server told of an error.
        self.withheld = self.dropped = self.errors = 0
        # Those of the first kind where everything was appended.
        self.appended = 0
        # What the next call that appends comes to.
        self.next = None
        self.listener = socket.socket(socket.AF_UNIX)
        path = folder / ".s.PGSQL.5432"
        self.listener.bind(str(path))
        os.chmod(path, 0o777)
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def close(self):
        self.is_armed = False
        self.listener.close()

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self.server)
            except OSError:
                client.close()
                continue
            Conversation(self, client, server).begin()

    def halt(self):
        """Lets the next call that appends come without its end; what is said of it then."""
        with self.lock:
            self.next = Halt()
            return self.next

    def decide(self):
        """What is to become of a call that appends: None, "withhold" its reply, "drop" it, or a halt."""
        with self.lock:
            if self.next:
                halt, self.next = self.next, None
                return halt
            if not self.is_armed:
                return None
            dice = self.rng.random()
            return "withhold" if dice < 0.10 else "drop" if dice < 0.12 else None


class Conversation:
    """One connection: two threads, and what is known of the calls between them."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.statements = {}
        # Of each call that was sent and not answered: what is to become of it.
        self.pending = []
        self.lock = threading.Lock()

    def begin(self):
        for work in (self.requests, self.replies):
            threading.Thread(target=self.run, args=(work,), daemon=True).start()

    def run(self, work):
        try:
            work()
        except (OSError, Cut):
            pass
        for end in (self.client, self.server):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    @staticmethod
    def receive(end, count):
        data = bytearray()
        while len(data) < count:
            piece = end.recv(count - len(data))
            if not piece:
                raise Cut()
            data += piece
        return bytes(data)

    def message(self, end):
        """The next message: its type, and all its bytes."""
        head = self.receive(end, 5)
        return head[:1], head + self.receive(end, struct.unpack(">i", head[1:])[0] - 4)

    def requests(self):
        # The first message has no type.
        head = self.receive(self.client, 4)
        self.server.sendall(head + self.receive(self.client, struct.unpack(">i", head)[0] - 4))
        call, held = False, b""
        while True:
            kind, message = self.message(self.client)
            if kind == b"P":
                name, query, _ = message[5:].split(b"\0", 2)
                self.statements[name] = query
            elif kind == b"B":
                name = message[5:].split(b"\0", 2)[1]
                call = (b"ledger.append" in self.statements.get(name, b"") and len(message) > Proxy.LONG)
            held += message
            if kind not in b"SQX":
                continue
            fate = self.proxy.decide() if call else None
            if fate == "drop":
                self.proxy.dropped += 1
                raise Cut()
            if kind != b"X":
                with self.lock:
                    self.pending.append(fate)
            if isinstance(fate, Halt):
                # All but the Sync, which has no content.
                self.server.sendall(held[:-5])
                held = held[-5:]
                fate.is_reached.set()
                fate.may_end.wait(60)
            self.server.sendall(held)
            call, held = False, b""

    def replies(self):
        has_begun, fate, withheld, is_done = False, None, b"", True
        while True:
            kind, message = self.message(self.server)
            if has_begun and fate is None:
                with self.lock:
                    fate = self.pending[0] if self.pending else None
            if fate == "withhold":
                withheld += message
                if kind == b"E":
                    self.proxy.errors += 1
                # A row whose first value is null: nothing was decided.
                if kind == b"E" or (kind == b"D" and message[7:11] == b"\xff\xff\xff\xff"):
                    is_done = False
            else:
                self.client.sendall(message)
            if kind != b"Z":
                continue
            if fate == "withhold":
                # The server is ready for the next one: this one is committed.
                self.proxy.withheld += 1
                if is_done and not any(word in withheld for word in (b"conflict", b"fenced", b"duplicate")):
                    self.proxy.appended += 1
                raise Cut()
            if has_begun:
                with self.lock:
                    self.pending.pop(0)
            has_begun = True
