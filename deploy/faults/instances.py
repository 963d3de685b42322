"""Instances of the ledger as processes: started, killed, stopped and continued, each with a journal of its facts."""

import signal
import subprocess

from broken import Broken, reap, until


class Instance:
    """A writer or a follower; its journal goes on over all its lives."""

    def __init__(self, folder, kind, name, address, seed=0, arguments=()):
        self.kind, self.name, self.address, self.seed = kind, name, address, seed
        self.arguments = [str(a) for a in arguments]
        self.journal = folder / f"{name}.journal"
        self.errors = folder / f"{name}.stderr"
        self.process = None
        self.lives = 0
        self.is_stopped = False
        self.read = 0
        self.unknown = {}
        # The last position that a follower noted.
        self.place = 0
        # Appends that were sent and have come to no end yet.
        self.open = set()
        self.tally = {"made": 0, "repeat": 0, "unknown": 0, "none": 0, "fenced": 0}

    def start(self):
        command = ["rollbook-chaos", self.kind, "--database", self.address, "--name", self.name, "--journal",
                   str(self.journal), *self.arguments]
        if self.kind == "writer":
            # Another life, other choices.
            command += ["--seed", str(self.seed + 100_003 * self.lives)]
        with open(self.errors, "ab") as errors:
            self.process = subprocess.Popen(command, stdout=errors, stderr=errors, start_new_session=True)
        self.lives += 1
        return self

    def kill(self):
        if self.process is not None:
            self.process.kill()
            reap(self.process)
        self.news()
        # Nobody is left who would send them again.
        self.unknown = {}
        self.open = set()
        self.is_stopped = False

    def stop(self):
        self.process.send_signal(signal.SIGSTOP)
        self.is_stopped = True

    def go_on(self):
        self.process.send_signal(signal.SIGCONT)
        self.is_stopped = False

    def check_alive(self):
        if self.process.poll() is not None:
            raise Broken(f"{self.name} ended by itself ({self.process.returncode}): {self.errors.read_text()[-800:]}")

    def news(self):
        """Reads on in the journal; the lines that are new."""
        if not self.journal.exists():
            return []
        with open(self.journal, "rb") as file:
            file.seek(self.read)
            text = file.read()
        text = text[:text.rfind(b"\n") + 1]
        self.read += len(text)
        lines = [line.split(" ") for line in text.decode().splitlines()]
        if self.kind == "writer":
            for line in lines:
                self.count(line)
        elif lines:
            self.place = int(lines[-1][0])
        return lines

    def count(self, line):
        word, append = line[0], line[1]
        if word == "sent":
            self.open.add(append)
        elif word == "unknown":
            self.tally["unknown"] += 1
            self.unknown[append] = line
        elif word == "made":
            self.tally["made"] += 1
            self.tally["repeat"] += line[4] == "repeat"
            self.open.discard(append)
            self.unknown.pop(append, None)
        elif word == "none":
            self.tally["none"] += 1
            self.tally["fenced"] += line[2] == "fenced"
            self.open.discard(append)
            self.unknown.pop(append, None)

    def made_since(self, moment):
        """The first append that was begun after `moment` and is acknowledged; None if there is none yet."""
        return next((l for l in self.news() if l[0] == "made" and int(l[6]) >= moment), None)

    def sent_since(self, moment):
        """The first acknowledgement of what was sent after `moment`, if not for the first time; None if there is none."""
        return next((l for l in self.news() if l[0] == "made" and int(l[7]) >= moment), None)


class Instances:
    """All instances of one scenario."""

    def __init__(self, folder, address, rng):
        self.folder, self.address, self.rng = folder, address, rng
        self.all = []

    def add(self, kind, count, *arguments, prefix=None, address=None):
        first = sum(i.kind == kind for i in self.all)
        added = [Instance(self.folder, kind, f"{prefix or kind}-{first + n + 1}", address or self.address,
                          self.rng.randrange(1 << 40), arguments).start() for n in range(count)]
        self.all += added
        return added

    @property
    def writers(self):
        return [i for i in self.all if i.kind == "writer"]

    @property
    def followers(self):
        return [i for i in self.all if i.kind == "follower"]

    def check_alive(self):
        for instance in self.all:
            instance.check_alive()

    def wait_for_appends(self, count=1, seconds=20):
        """Waits until every writer has had `count` appends more acknowledged."""
        for writer in self.writers:
            writer.news()
            goal = writer.tally["made"] + count

            def fact(writer=writer, goal=goal):
                writer.news()
                return writer.tally["made"] >= goal

            if not until(seconds, fact):
                self.check_alive()
                raise Broken(f"{writer.name} got nothing acknowledged within {seconds} s")

    def wait_for_outcomes(self, seconds=30):
        """Waits until no writer has an append that it does not know the outcome of."""
        for writer in self.writers:
            def fact(writer=writer):
                writer.news()
                return not writer.unknown

            if not until(seconds, fact):
                raise Broken(f"{writer.name} does not learn what came of {list(writer.unknown)[:3]} within {seconds} s")

    def total(self, key):
        return sum(w.tally[key] for w in self.writers)

    def kill(self, kind=None):
        for instance in self.all:
            if kind in (None, instance.kind):
                instance.kill()


def tell(group, log, words):
    """The common end of a scenario's line."""
    return (f"{words}; {len(log.events)} events, {group.total('made')} appends acknowledged, {group.total('unknown')} "
            f"times unknown, {group.total('repeat')} recognised as repeats, {group.total('none')} refused")
