"""`rollbook serve` as a process: started, killed, asked over its API."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import urllib.error
import urllib.request

from broken import Broken, output, reap, until


class Service:
    """An instance on a data directory, which it may share with others that stand by; its API is asked.

    Without `has_prometheus` none is started: what is measured is asked of whoever the manifests name.
    """

    def __init__(self, run, data, name="serve", beside=None, has_prometheus=True):
        self.data, self.name, self.log = data, name, run.folder / f"{name}.log"
        self.port = free_port(20000)
        self.traffic = beside.traffic if beside else free_port(21000)
        self.prometheus = beside.prometheus if beside else free_port(22000) if has_prometheus else 0
        self.process = None

    def start(self, address, *arguments):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["rollbook", "serve", "--database", address, "--data", str(self.data), "--port", str(self.port),
                 "--traffic-port", str(self.traffic), "--prometheus-port", str(self.prometheus), "--instance", self.name,
                 "--seal-interval", "0.2", *arguments],
                stdout=log, stderr=log, start_new_session=True)
        self.wait_until_ready(60)
        return self

    def wait_until_ready(self, seconds):
        """Waits until it says that it is ready."""
        if not until(seconds, self.is_ready, lambda: self.process.poll() is not None, pause=0.05):
            raise Broken(f"{self.name} is not ready within {seconds} s: /readyz answers {self.get('/readyz')}; "
                         f"{self.log} ends: {self.log.read_text()[-800:]}")

    def is_ready(self):
        return self.get("/readyz")[0] == 200

    def duties(self):
        """How many shards of rollouts it controls, and what else it does alone; nothing while it is not ready."""
        status, text = self.get("/readyz")
        duties = json.loads(text)["duties"] if status == 200 else {"shards": 0, "leases": []}
        return duties["shards"], set(duties["leases"])

    def get(self, path, **headers):
        return self.ask(urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=headers))

    @staticmethod
    def ask(request):
        """The status and the text of an answer; 0 if there is none."""
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def head(self):
        """The last signed tree head, and how many events it covers."""
        status, text = self.get("/api/v1/ledger/checkpoint")
        return (int(text.split("\n")[1]), text) if status == 200 else (0, "")

    def events(self, after=0, stream=None):
        """What stands in the log after a position, as the API shows it; of a stream, or of all."""
        found, which = [], f"&stream={stream}" if stream else ""
        while after is not None:
            status, text = self.get(f"/api/v1/events?after={after}&limit=500{which}")
            if status != 200:
                raise Broken(f"position {int(after) + 1}: {self.name} does not show the log: {status} {text[:200]}")
            page = json.loads(text)
            found += page["events"]
            after = page.get("next")
        return found

    def order(self, *words):
        """Gives an order as an operator does; it must be carried out."""
        status, said = output(["rollbook", *words],
                              env={**os.environ, "ROLLBOOK_SERVER": f"http://127.0.0.1:{self.port}"})
        if status != 0:
            raise Broken(f"rollbook {' '.join(str(w) for w in words)} ended with {status}: {said.strip()[-400:]}")
        return said

    def resident(self):
        """Its resident memory in MiB, and the greatest that it ever was."""
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        sizes = dict(line.split(":", 1) for line in text.splitlines())
        return tuple(int(sizes[key].split()[0]) / 1024 for key in ("VmRSS", "VmHWM"))

    def kill(self):
        self.process.kill()
        reap(self.process)

    def stop(self):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            # One that a scenario has stopped could not hear it.
            self.process.send_signal(signal.SIGCONT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    def end(self):
        self.stop()
        output(["rollbook", "down", "--data", self.data])


given = set()


def free_port(first):
    """A loopback port on which nobody listens; far from those of another run beside this one, and given only once."""
    first += os.getpid() % 400 * 2
    for port in range(first, first + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port not in given:
            given.add(port)
            return port
    raise Broken(f"no free loopback port from {first} to {first + 199}")
