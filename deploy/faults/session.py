"""A session with the server that stays open from one question to the next."""

import os
import select
import subprocess
import time

from broken import Broken, reap


class Session:
    """One session of psql; what it is asked answers one row."""

    def __init__(self, server, database):
        self.process = subprocess.Popen(
            [server.bin / "psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", server.address(database)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0)
        self.heard = b""

    def ask(self, sql, seconds=30):
        """The one row that the statements answer, as psql writes it; a server that keeps silent is broken."""
        try:
            self.process.stdin.write(sql.encode() + b"\n")
        except BrokenPipeError as gone:
            raise Broken(f"the session has ended before “{sql[:80]}”") from gone
        deadline = time.monotonic() + seconds
        while b"\n" not in self.heard:
            output = self.process.stdout.fileno()
            if not select.select([output], [], [], max(0, deadline - time.monotonic()))[0]:
                raise Broken(f"the server did not answer “{sql[:80]}” within {seconds} s")
            piece = os.read(output, 1 << 16)
            if not piece:
                raise Broken(f"the session ended at “{sql[:80]}”: {self.heard.decode().strip()}")
            self.heard += piece
        line, self.heard = self.heard.split(b"\n", 1)
        if line.startswith((b"ERROR:", b"FATAL:")):
            raise Broken(f"the server refused “{sql[:80]}”: {line.decode()}")
        return line.decode().strip()

    def end(self):
        """Ends it as a client does that has no more to ask."""
        self.process.stdin.close()
        reap(self.process, 10, "psql, which has no more to do,")

    def give_up(self):
        if self.process.poll() is None:
            self.process.kill()
            reap(self.process)
