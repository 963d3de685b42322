"""Runs the soak that `deploy/soak` prepared: see there. Needs `rollbook` and `payments-api` on the PATH.

A release is disturbed at chosen events: `kill -9` of the server, or `pg_ctl stop -m immediate` of its database. The
server (or the database) is started again, the release must come to its right end by itself, and the log, nginx and the
processes of the machine must agree about it.

An append is written whole or not at all, so an event with another one behind it in the same append can never be the
log's last. For such a type, a kill counts when the log's last append held it; the table says which ones these are.
"""

import argparse
import collections
import datetime
import http.client
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

WORK = pathlib.Path(".rollbook/soak").absolute()
DATA = WORK / "data"
HOST = "payments.example.com"
NAME = "payments-api"
BACKEND = f"default/default/{NAME}"
STREAM = f"rollout-{BACKEND}"
RATE = 100

# In the order in which a release comes to them; those of one outcome alone are named with it.
TYPES = [
    "manifest-recorded", "release-started", "scale-decided", "scale-applied", "pods-observed", "weight-decided",
    "weight-applied", "step-entered", "pause-began", "pause-ended", "step-completed", "analysis-started",
    "measurement-taken", "metric-concluded", "analysis-concluded", "promoted", "completed", "aborted", "set-retired",
]
ONLY = {"promoted": "good", "completed": "good", "aborted": "broken"}
# How often a release comes to a type, at least, if that is more than once.
OFTEN = {
    "scale-decided": 2, "scale-applied": 2, "pods-observed": 3, "weight-decided": 3, "weight-applied": 3,
    "step-entered": 3, "step-completed": 2, "measurement-taken": 2,
}
ENDS = {"completed", "aborted", "superseded"}
# What may follow the end of a release: weights back, sets away, what was seen meanwhile, and the next manifest.
CLEANING = {
    "weight-decided", "weight-applied", "weight-rejected", "scale-decided", "scale-applied", "scale-rejected",
    "pods-observed", "set-retired", "standing-order-executed", "manifest-recorded",
}


def say(text):
    print(f"\n\033[1m{text}\033[0m" if sys.stdout.isatty() else f"\n== {text}", flush=True)


def free_port(first):
    """The first loopback port from `first` on which nobody listens."""
    for port in range(first, first + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue
    raise SystemExit(f"no free loopback port from {first} to {first + 199}")


def kind(event):
    """`weight-applied` of `rollout.weight-applied.v1`; `template.recorded` of `template.recorded.v1`."""
    name = event["type"].rsplit(".", 1)[0]
    return name.removeprefix("rollout.")


class Broken(Exception):
    """Something that must hold does not."""


class UnixConnection(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("localhost", timeout=5)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Soak:
    def __init__(self, options):
        self.options = options
        self.random = random.Random(options.seed)
        self.server = self.generator = None
        self.api = free_port(7270)
        self.traffic = free_port(8280)
        self.prometheus = free_port(9291)
        self.address = f"http://127.0.0.1:{self.api}"
        self.environment = dict(os.environ, ROLLBOOK_SERVER=self.address)
        self.log = []
        self.releases = 0
        self.last_hits = collections.Counter()
        self.append_hits = collections.Counter()
        self.stop_hits = collections.Counter()
        self.disturbances = []
        self.broken = []
        # Nothing was begun yet that would have to be cleared.
        self.is_clear = self.is_new = True

    # Starting and stopping

    def start(self, arguments, log):
        with open(WORK / log, "ab") as output:
            return subprocess.Popen(
                arguments, stdout=output, stderr=subprocess.STDOUT, env=self.environment, start_new_session=True)

    def serve(self):
        self.server = self.start(
            ["rollbook", "serve", "--embedded", "--data", str(DATA), "--port", str(self.api), "--traffic-port",
             str(self.traffic), "--prometheus-port", str(self.prometheus)], "serve.log")
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and self.server.poll() is None:
            try:
                with urllib.request.urlopen(self.address + "/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            time.sleep(0.05)
        raise Broken(f"the server did not become ready (exit code {self.server.poll()}); see {WORK / 'serve.log'}")

    def stop(self, child, patience=30):
        if child is not None and child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(patience)
            except subprocess.TimeoutExpired:
                child.kill()
                self.reap(child)

    @staticmethod
    def reap(child, patience=30):
        """Waits for the end of a child that was killed, or has no more to do."""
        try:
            child.wait(patience)
        except subprocess.TimeoutExpired as late:
            raise Broken(f"{child.args[:3]} is still there after {patience} s") from late

    @staticmethod
    def call(command, patience=120, **options):
        """Runs a program to its end, which has to come."""
        try:
            return subprocess.run(command, timeout=patience, check=False, **options)
        except subprocess.TimeoutExpired as late:
            raise Broken(f"{' '.join(command[:3])} did not end within {patience} s: {late.output}") from late

    def end(self):
        """Stops everything; what of it is still there afterwards."""
        self.stop(self.generator)
        self.stop(self.server)
        self.call(["rollbook", "down", "--data", str(DATA)], env=self.environment)
        deadline = time.monotonic() + 20
        left = self.processes()
        while left and time.monotonic() < deadline:
            time.sleep(0.2)
            left = self.processes()
        return left

    def processes(self):
        """The processes of this machine that work in, write to or name our data directory: (pid, command)."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                places = [os.readlink(entry / "cwd"), os.readlink(entry / "fd/1")]
            except OSError:
                continue
            if str(DATA) + "/" in command + " /" or any(p.startswith(str(DATA)) for p in places):
                found.append((int(entry.name), command or entry.name))
        return found

    # The database

    def cluster(self):
        found = list((DATA / "postgres").glob("**/PG_VERSION"))
        directories = [f.parent for f in found if (f.parent / "postmaster.opts").exists()]
        if not directories:
            raise SystemExit(f"no PostgreSQL data directory below {DATA / 'postgres'}")
        return directories[0]

    def postgres(self, program, *arguments):
        """Runs one of PostgreSQL's programs as the owner of the cluster."""
        data = self.cluster()
        version = (data / "PG_VERSION").read_text().strip()
        path = pathlib.Path(f"/usr/lib/postgresql/{version}/bin/{program}")
        command = [str(path) if path.exists() else program, *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", data.owner(), "--", *command]
        return self.call(command, capture_output=True, text=True, cwd="/")

    def last_position(self):
        """The log's last position, from the database itself: nobody serves the log right after a kill."""
        socket_directory = next((DATA / "postgres").glob("**/.s.PGSQL.*")).parent
        deadline = time.monotonic() + 20
        while True:
            # What the killed server had sent already is still carried out: wait until its sessions are gone.
            answer = self.postgres(
                "psql", "-h", str(socket_directory), "-U", "postgres", "-d", "rollbook", "-Atc",
                "select max(position), (select count(*) from pg_stat_activity where backend_type = 'client backend' "
                "and pid <> pg_backend_pid()) from ledger.event")
            if answer.returncode == 0:
                position, others = answer.stdout.strip().split("|")
                if int(others) == 0 or time.monotonic() > deadline:
                    return int(position)
            elif time.monotonic() > deadline:
                raise Broken(f"the database cannot be asked: {answer.stderr}")
            time.sleep(0.02)

    # Asking

    def get(self, path):
        with urllib.request.urlopen(self.address + path, timeout=10) as answer:
            return json.load(answer)

    def catch_up(self):
        """Reads the log on from where we are; a gap in its positions is told by `check`."""
        while True:
            after = self.log[-1]["position"] if self.log else 0
            page = self.get(f"/api/v1/events?after={after}&limit=500")["events"]
            self.log += page
            if len(page) < 500:
                return

    def head(self):
        return self.log[-1]["position"] if self.log else 0

    def nginx(self):
        connection = UnixConnection(str(next((DATA / "platform").glob("nginx/control/socket"))))
        connection.request("GET", "/state")
        state = json.load(connection.getresponse())
        connection.close()
        return state["backends"].get(BACKEND, {})

    def follow(self, after, wanted, number, seconds):
        """Follows the stream of events from `after`; true once the `number`th of type `wanted` has appeared.

        False when it did not within `seconds`, or when the release was cleaned up without it.
        """
        connection = http.client.HTTPConnection("127.0.0.1", self.api, timeout=0.5)
        seen = 0
        try:
            connection.request("GET", f"/api/v1/events/stream?after={after}")
            stream = connection.getresponse()
            deadline = time.monotonic() + seconds
            while time.monotonic() < deadline:
                try:
                    line = stream.fp.readline()
                except TimeoutError:
                    # A buffered reader is of no use after a timeout: go on with a new connection, from what was seen.
                    connection.close()
                    connection = http.client.HTTPConnection("127.0.0.1", self.api, timeout=0.5)
                    connection.request("GET", f"/api/v1/events/stream?after={after}")
                    stream = connection.getresponse()
                    continue
                if line.startswith(b"id: "):
                    after = int(line.rsplit(b"-", 1)[1])
                elif line.startswith(b"event: "):
                    name = line[7:].decode().strip().rsplit(".", 1)[0].removeprefix("rollout.")
                    if name == wanted:
                        seen += 1
                        if seen == number:
                            return True
                    if name == "set-retired":
                        deadline = min(deadline, time.monotonic() + 1.5)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()
        return False

    # Disturbing

    def kill(self):
        self.server.kill()
        self.reap(self.server)
        last = self.last_position()
        self.serve()
        return last

    def stop_database(self):
        data = str(self.cluster())
        stopped = time.time()
        answer = self.postgres("pg_ctl", "stop", "-D", data, "-m", "immediate", "-w", "-t", "60")
        if answer.returncode != 0:
            raise SystemExit(f"pg_ctl stop: {answer.stdout}{answer.stderr}")
        time.sleep(self.random.uniform(0.2, 3))
        answer = self.postgres(
            "pg_ctl", "start", "-D", data, "-l", data + "/log/postgresql.log", "-w", "-t", "60")
        if answer.returncode != 0:
            raise SystemExit(f"pg_ctl start: {answer.stdout}{answer.stderr}")
        deadline = time.monotonic() + 30
        while True:
            try:
                self.catch_up()
                break
            except (urllib.error.URLError, OSError) as error:
                if time.monotonic() > deadline:
                    raise Broken(f"30 s after the database came back the API still answers: {error}") from error
                time.sleep(0.1)
        before = [e["position"] for e in self.log if moment(e["recordedAt"]) <= stopped]
        return before[-1]

    def disturb(self, how, wanted, is_first):
        """Waits for an event of type `wanted`, then does `how`; notes which event was really the last one."""
        number = self.random.randint(1, OFTEN.get(wanted, 1)) if is_first else 1
        self.follow(self.head(), wanted, number, 30)
        last = self.kill() if how == "kill" else self.stop_database()
        self.catch_up()
        append = self.append_of(last)
        types = [kind(e) for e in append]
        if how == "kill":
            self.last_hits[types[-1]] += 1
            self.append_hits.update(set(types))
        else:
            self.stop_hits[types[-1]] += 1
        self.disturbances.append({"how": how, "aimed": wanted, "last": types[-1], "append": types, "position": last})
        print(f"  {how:<5} aimed at {wanted:<19} hit after position {last}: {' + '.join(types)}", flush=True)

    def append_of(self, position):
        """The events of the append that ends at `position`; the ledger stamps an append once."""
        event = next((e for e in self.log if e["position"] == position), None)
        if event is None:
            raise Broken(f"the log lost position {position}, which the database had")
        return [e for e in self.log if e["recordedAt"] == event["recordedAt"] and e["position"] <= position]

    # One release

    def release(self, outcome, plan):
        """Ships an image, disturbs it as planned, and checks it: `plan` is a list of (how, wanted type)."""
        self.releases += 1
        version = f"2.{self.releases}.0" + ("-broken" if outcome == "broken" else "")
        print(f"release {self.releases}: {version}", flush=True)
        before = self.head()
        client = self.start(
            ["rollbook", "set", "image", NAME, f"app=registry.example.com/{NAME}:{version}"], "client.log")
        started = None
        for place, (how, wanted) in enumerate(plan):
            self.disturb(how, wanted, place == 0)
        self.reap(client)
        started = self.wait("the release has started", 20, lambda: next(
            (e for e in self.log if e["position"] > before and kind(e) == "release-started"), None))
        release = started["correlation"]
        end = self.wait("the release has ended", 90, lambda: next(
            (e for e in self.log if e["correlation"] == release and kind(e) in ENDS), None))
        wanted_end = "completed" if outcome == "good" else "aborted"
        if kind(end) != wanted_end:
            raise Broken(f"release {release} of {version} is {kind(end)}, not {wanted_end}: {end['data']}")
        self.wait("what is over was cleaned up", 45, lambda: not self.unsettled())
        view = self.get(f"/api/v1/rollouts/default/{NAME}")
        if view["phase"] != ("Healthy" if outcome == "good" else "Degraded"):
            raise Broken(f"{version} is {view['phase']}: {view['message']}")
        self.check_log()
        self.check_traffic(version, outcome)

    def wait(self, words, seconds, fact):
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.catch_up()
            found = fact()
            if found:
                return found
            time.sleep(0.2)
        raise Broken(f"not within {seconds} s: {words}" + (f" ({self.unsettled()})" if "clean" in words else ""))

    def unsettled(self):
        """What is still under way or left over, in words; empty if nothing."""
        left = []
        for decided, applied in (("weight-decided", "weight-applied"), ("scale-decided", "scale-applied")):
            newest = [max((e["data"]["generation"] for e in self.log if kind(e) == k), default=0)
                      for k in (decided, applied)]
            if newest[0] != newest[1]:
                left.append(f"{decided} {newest[0]}, {applied} {newest[1]}")
        wanted = collections.Counter()
        for file in (DATA / "platform/rollouts").glob("*.json"):
            for name, wish in json.loads(file.read_text())["sets"].items():
                wanted[name] += wish["replicas"]
        there = collections.Counter()
        for file in (DATA / "platform/pods").glob("*.json"):
            try:
                pod = json.loads(file.read_text())
            except (FileNotFoundError, json.JSONDecodeError):
                continue
            there[pod["podTemplateHash"]] += 1
        wanted, there = +wanted, +there
        decided = [e for e in self.log if kind(e) == "scale-decided"][-1]["data"]["sets"]
        logged = {s["podTemplateHash"]: s["replicas"] for s in decided if s["replicas"] > 0}
        if len(logged) != 1:
            left.append(f"sets wanted by the log: {logged}")
        if logged != dict(wanted):
            left.append(f"sets wanted by the log {logged}, by the platform {dict(wanted)}")
        if wanted != there:
            left.append(f"pods wanted {dict(wanted)}, there {dict(there)}")
        running = collections.Counter()
        for _, log in self.pod_processes():
            running[log.removeprefix(f"{NAME}-").split("-")[0]] += 1
        if running != wanted:
            left.append(f"pods wanted {dict(wanted)}, processes {dict(running)}")
        return "; ".join(left)

    def pod_processes(self):
        """(pid, log file) of each process that was started as a pod of ours."""
        logs = str(DATA / "platform/logs") + "/"
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                output = os.readlink(entry / "fd/1")
            except OSError:
                continue
            if output.startswith(logs):
                found.append((int(entry.name), pathlib.Path(output).name))
        return found

    # What must hold

    def check_log(self):
        """Positions, versions, steps, generations and ends, over the whole log."""
        versions = collections.Counter()
        steps = collections.Counter()
        decided, applied, ended = {}, collections.Counter(), {}
        stamp = ""
        for place, event in enumerate(self.log, 1):
            at = f"at position {event['position']} ({event['type']})"
            if event["position"] != place:
                raise Broken(f"position {place} is missing, {at}")
            versions[event["stream"]] += 1
            if event["version"] != versions[event["stream"]]:
                raise Broken(f"version {versions[event['stream']]} of {event['stream']} is missing, {at}")
            if event["recordedAt"] < stamp:
                raise Broken(f"recorded before its predecessor, {at}")
            stamp = event["recordedAt"]
            if event["stream"] != STREAM:
                continue
            name, release, data = kind(event), event["correlation"], event["data"]
            if release in ended and name not in CLEANING:
                raise Broken(f"release {release} went on after its end ({ended[release]}), {at}")
            if name in ("step-entered", "step-completed"):
                steps[release, name, data["index"]] += 1
                if steps[release, name, data["index"]] > 1:
                    raise Broken(f"step {data['index']} of release {release}: {name} twice, {at}")
                if name == "step-completed" and not steps[release, "step-entered", data["index"]]:
                    raise Broken(f"step {data['index']} of release {release} completed, never entered, {at}")
            elif name in ("weight-decided", "scale-decided"):
                key = name.split("-")[0], data["generation"]
                if key in decided:
                    raise Broken(f"generation {key} decided twice, {at}")
                decided[key] = data
            elif name in ("weight-applied", "scale-applied"):
                key = name.split("-")[0], data["generation"]
                if key not in decided:
                    raise Broken(f"generation {key} applied, never decided, {at}")
                applied[key] += 1
                if applied[key] > 1:
                    raise Broken(f"generation {key} applied twice, {at}")
                if name == "weight-applied" and data["canary"] != decided[key]["canary"]:
                    raise Broken(f"generation {key}: weight {decided[key]['canary']} decided, {data['canary']} applied, {at}")
            elif name in ENDS:
                ended[release] = name

    def check_traffic(self, version, outcome):
        """nginx and the log agree, the canary has no weight, and requests are answered by the right version."""
        weight = [e for e in self.log if kind(e) == "weight-applied"][-1]["data"]
        state = self.nginx()
        route = state.get("route") or {}
        if (route.get("generation"), route.get("canary")) != (weight["generation"], weight["canary"]):
            raise Broken(f"nginx obeys {route}, the log says {weight}")
        if weight["canary"] != 0:
            raise Broken(f"weight {weight['canary']} is left after the end")
        if set(state["endpoints"]["sets"]) != {route["stableHash"]}:
            raise Broken(f"nginx has pods of {sorted(state['endpoints']['sets'])}, stable is {route['stableHash']}")
        for _ in range(20):
            request = urllib.request.Request(f"http://127.0.0.1:{self.traffic}/", headers={"Host": HOST})
            with urllib.request.urlopen(request, timeout=5) as answer:
                seen = answer.headers["X-Version"]
            if (seen == version) != (outcome == "good"):
                raise Broken(f"after {version} ended, {seen} answered")

    # The whole

    def manifest(self):
        """The example's manifest with shorter times, fewer pods, and a query that forgets the release before."""
        text = pathlib.Path("deploy/example/payments-api.yaml").read_text()
        start = text.index("      steps:\n")
        steps = (
            "      scaleDownDelaySeconds: 1\n      abortScaleDownDelaySeconds: 1\n      steps:\n"
            "        - setWeight: 20\n        - pause: { duration: 1s }\n        - setWeight: 50\n"
            "        - analysis:\n            templates:\n              - templateName: success-rate\n"
            "            args:\n              - name: service-name\n                value: payments-api-canary\n"
            "        - setWeight: 100\n")
        text = text[:start] + steps + text[text.index("---", start):]
        for old, new in (
                ("replicas: 6", "replicas: 2"), ("failureLimit: 2", "failureLimit: 1"), ("[5m]", "[6s]"),
                ("interval: 2s\n      count: 5", "initialDelay: 7s\n      interval: 1s\n      count: 3")):
            if old not in text:
                raise SystemExit(f"deploy/example/payments-api.yaml has no “{old}” any more")
            text = text.replace(old, new)
        (WORK / "manifest.yaml").write_text(text)

    def rarest(self, outcome):
        """The type least often hit yet that a release of this outcome comes to; chance decides between equals."""
        can_be_last = self.can_be_last()
        hits = {t: self.last_hits[t] if t in can_be_last else self.append_hits[t]
                for t in TYPES if ONLY.get(t, outcome) == outcome}
        planned = collections.Counter(w for _, w in self.planned)
        least = min(hits[t] + planned[t] for t in hits)
        return self.random.choice([t for t in hits if hits[t] + planned[t] == least])

    def can_be_last(self):
        """The types that ended an append of a release with a canary; all others always have company behind them."""
        first = next((e["position"] for e in self.log if kind(e) == "completed"), 0)
        mine = [e for e in self.log if e["stream"] == STREAM and e["position"] > first]
        return {kind(e) for e, then in zip(mine, mine[1:]) if e["recordedAt"] != then["recordedAt"]}

    def missing(self):
        can = self.can_be_last()
        return [t for t in TYPES if not (self.last_hits[t] if t in can else self.append_hits[t])]

    def plans(self):
        """Outcome and disturbances of each release, made when the one before is over."""
        kills, stops, turn = self.options.kills, self.options.stops, 0
        while kills > 0 or stops > 0:
            if self.options.types and not self.missing():
                return
            turn += 1
            outcome = "good" if turn % 2 else "broken"
            if not stops and self.options.types:
                outcome = ONLY.get(self.missing()[0], outcome)
            self.planned = []
            # A stop every so often, as long as there are some; two kills in each release otherwise.
            stop_now = stops > 0 and (kills <= 0 or (self.options.quick and turn == 2) or (
                not self.options.quick and turn % max(2, round((kills / 2 + stops) / stops)) == 0))
            for _ in range(min(kills, 1 if self.options.quick and turn == 2 else 2)
                           if not stop_now or self.options.quick else 0):
                self.planned.append(("kill", self.rarest(outcome)))
                kills -= 1
            if stop_now:
                stops -= 1
                self.planned.append(("stop", self.random.choice(
                    [t for t in TYPES[1:-4] + ["weight-applied", "analysis-started", "measurement-taken"]])))
            yield outcome, sorted(self.planned, key=lambda p: TYPES.index(p[1]))

    def run(self):
        if WORK.exists():
            if self.processes():
                raise SystemExit(f"something runs below {DATA}; end it with: rollbook down --data {DATA}")
            shutil.rmtree(WORK)
        self.is_clear = self.is_new = False
        WORK.mkdir(parents=True)
        self.manifest()
        started = time.time()
        say(f"Rollbook serves on {self.address} (seed {self.options.seed}, everything below .rollbook/soak)")
        try:
            self.serve()
            applied = self.call(["rollbook", "apply", "-f", str(WORK / "manifest.yaml")], env=self.environment)
            if applied.returncode != 0:
                raise Broken(f"the manifest cannot be applied: rollbook apply ended with {applied.returncode}")
            self.wait("the first release has ended", 60, lambda: any(kind(e) == "completed" for e in self.log))
            self.generator = self.start(
                ["payments-api", "load", "--url", f"http://127.0.0.1:{self.traffic}/", "--host", HOST, "--rate",
                 str(RATE), "--output", str(WORK / "load.json")], "load.log")
            for outcome, plan in self.plans():
                self.release(outcome, plan)
        except Broken as broken:
            self.broken.append(str(broken))
            self.keep_evidence()
        finally:
            self.clear()
        return self.tell(started)

    def clear(self):
        """Stops everything, once; what stays is told, and ended."""
        if self.is_clear:
            return
        say("Stopping everything")
        try:
            left = self.end()
        except Broken as broken:
            self.broken.append(str(broken))
            left = self.processes()
        if left:
            self.broken.append(f"still running after `rollbook down`: {left}")
            # Seen and told; what we have brought about must not stay.
            for pid, _ in left:
                os.kill(pid, signal.SIGKILL)
        self.is_clear = True

    def keep_evidence(self):
        """What nginx, the platform and the log say now, while they still run."""
        evidence = {"unsettled": None, "nginx": None, "view": None}
        for name, ask in (("unsettled", self.unsettled), ("nginx", self.nginx),
                          ("view", lambda: self.get(f"/api/v1/rollouts/default/{NAME}"))):
            try:
                evidence[name] = ask()
            except Exception as error:  # Whatever cannot be asked is evidence too.
                evidence[name] = f"{type(error).__name__}: {error}"
        (WORK / "evidence.json").write_text(json.dumps(evidence, indent=2) + "\n")

    def tell(self, started):
        (WORK / "events.json").write_text("\n".join(json.dumps(e) for e in self.log) + "\n")
        can = self.can_be_last()
        say("Kills right after each event type")
        print(f"{'event type':<24}{'it was the last event':>22}{'in the last append':>20}")
        others = sorted(set(self.append_hits) - set(TYPES))
        for name in TYPES + others:
            last = str(self.last_hits[name]) if name in can or self.last_hits[name] else "never an append's end"
            print(f"{name:<24}{last:>22}{self.append_hits[name]:>20}")
        if self.stop_hits:
            say("Stops of the database by the last event before")
            for name, count in self.stop_hits.most_common():
                print(f"{name:<24}{count:>22}")
        kills = sum(d["how"] == "kill" for d in self.disturbances)
        load = json.loads((WORK / "load.json").read_text()) if (WORK / "load.json").exists() else {}
        report = {
            "seed": self.options.seed, "kills": kills, "stops": len(self.disturbances) - kills,
            "releases": self.releases, "events": len(self.log),
            "kills_by_last_event": dict(self.last_hits), "kills_by_last_append": dict(self.append_hits),
            "never_last": [t for t in TYPES if t not in can], "not_hit": self.missing(),
            "stops_by_last_event": dict(self.stop_hits),
            "requests": {"total": load.get("total"), "lost": load.get("lost")},
            "broken": self.broken, "seconds": round(time.time() - started, 1), "disturbances": self.disturbances,
        }
        (WORK / "report.json").write_text(json.dumps(report, indent=2) + "\n")
        say("The report")
        print(json.dumps({k: v for k, v in report.items() if k != "disturbances"}, indent=2))
        for words in self.broken:
            print(f"NOT KEPT: {words}", file=sys.stderr)
        # Only a run that is long enough to hit every type promises to.
        short = not self.options.quick and (self.options.types or self.options.kills >= 50) and self.missing()
        if short and not self.broken:
            print(f"NOT HIT: {', '.join(self.missing())}", file=sys.stderr)
        if not self.broken and not short:
            shutil.rmtree(DATA)
        return 1 if self.broken or short else 0


def moment(text):
    """Seconds since the epoch of an RFC 3339 instant."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def main():
    parser = argparse.ArgumentParser(prog="deploy/soak")
    parser.add_argument("--kills", type=int, help="how often the server is killed (50)")
    parser.add_argument("--stops", type=int, help="how often the database is stopped (10)")
    parser.add_argument("--seed", type=int, default=7, help="of every choice that is left to chance")
    parser.add_argument("--types", action="store_true", help="end as soon as every event type was hit; no stops")
    parser.add_argument("--quick", action="store_true", help="three kills and one stop")
    options = parser.parse_args()
    if options.kills is None:
        options.kills = 3 if options.quick else 50
    if options.stops is None:
        options.stops = 1 if options.quick else 0 if options.types else 10

    def interrupted(*_):
        # Once is enough: what is cleared up then must not be interrupted in its turn.
        for word in (signal.SIGINT, signal.SIGTERM):
            signal.signal(word, lambda *_: None)
        raise KeyboardInterrupt

    # A shell that runs us beside itself has SIGINT ignored.
    for word in (signal.SIGINT, signal.SIGTERM):
        signal.signal(word, interrupted)
    soak = Soak(options)
    try:
        code = soak.run()
    except KeyboardInterrupt:
        # Who ends the run wants no evidence of it; also not what the end itself was interrupted in.
        if not soak.is_new:
            soak.clear()
            shutil.rmtree(WORK, ignore_errors=True)
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    main()
