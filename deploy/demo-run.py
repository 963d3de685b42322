"""Runs the demo that `deploy/demo` prepared: see there. Needs `rollbook` and `payments-api` on the PATH."""

import argparse
import datetime
import json
import os
import pathlib
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

DATA = pathlib.Path(".rollbook").absolute()
WORK = DATA / "demo"
HOST = "payments.example.com"
NAME = "payments-api"
RATE = 150


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


def moment(text):
    """Seconds since the epoch of an RFC 3339 instant."""
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


class Demo:
    def __init__(self, ci):
        self.ci = ci
        self.children = []
        self.api = free_port(7070)
        self.traffic = free_port(8080)
        self.prometheus = free_port(9091)
        self.server = f"http://127.0.0.1:{self.api}"
        self.environment = dict(os.environ, ROLLBOOK_SERVER=self.server)
        self.report = {}

    # Starting and stopping

    def start(self, arguments, log):
        with open(WORK / log, "ab") as output:
            child = subprocess.Popen(
                arguments, stdout=output, stderr=subprocess.STDOUT, env=self.environment, start_new_session=True)
        self.children.append(child)
        return child

    def stop(self, child, patience=30):
        if child.poll() is None:
            child.send_signal(signal.SIGTERM)
            try:
                child.wait(patience)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()

    def end(self):
        for child in reversed(self.children):
            self.stop(child)
        subprocess.run(["rollbook", "down", "--data", str(DATA)], env=self.environment, check=False)

    # Asking

    def get(self, path):
        with urllib.request.urlopen(self.server + path, timeout=10) as answer:
            return json.load(answer)

    def rollbook(self, *arguments, check=True):
        print("$ rollbook " + " ".join(arguments), flush=True)
        done = subprocess.run(["rollbook", *arguments], env=self.environment, check=False)
        if check and done.returncode != 0:
            raise SystemExit(f"rollbook {arguments[0]} ended with {done.returncode}")

    def view(self):
        return self.get(f"/api/v1/rollouts/default/{NAME}")

    def wait_ready(self):
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            try:
                with urllib.request.urlopen(self.server + "/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                pass
            if self.children[0].poll() is not None:
                break
            time.sleep(0.2)
        sys.stdout.write((WORK / "serve.log").read_text()[-4000:])
        raise SystemExit(f"rollbook serve did not become ready; see {WORK / 'serve.log'}")

    def wait_phase(self, wanted, release, seconds):
        """Prints each change of the rollout until the release has come to a phase in `wanted`."""
        shown = None
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            view = self.view()
            runs = [r for revision in view["revisions"][:1] for r in revision["analysisRuns"]]
            measured = "".join(
                {"Successful": "✔", "Failed": "✖", "Error": "⚠"}.get(m["phase"], "?")
                for run in runs[-1:] for metric in run["metrics"] for m in metric["measurements"])
            bar = "█" * (view["actualWeight"] // 5)
            line = (f"{view['phase']:<12} step {view.get('step') or '-':<4} weight {view['actualWeight']:>3} "
                    f"{bar:<20} {measured:<6} {view['message']}")
            if line != shown:
                print("  " + line, flush=True)
                shown = line
            if view["phase"] in wanted and (release is None or view["release"]["id"] == release):
                return view
            time.sleep(0.25)
        raise SystemExit(f"the rollout did not become {' or '.join(wanted)} within {seconds} s")

    def wait_whole(self, seconds):
        """Waits until the stable set has all its pods: after a second start they are started anew."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            view = self.view()
            stable = [r["set"] for r in view["revisions"] if r.get("set") and r["set"]["role"] == "stable"]
            if stable and stable[0]["available"] >= view["replicas"]["desired"]:
                # What is ready reaches nginx at once; a second is for the slowest machine.
                time.sleep(1)
                return view
            time.sleep(0.25)
        raise SystemExit(f"the stable set was not whole within {seconds} s")

    def events(self):
        events, after = [], 0
        while True:
            page = self.get(f"/api/v1/events?after={after}&limit=500")["events"]
            if not page:
                return events
            events += page
            after = page[-1]["position"]

    def load(self):
        return json.loads((WORK / "load.json").read_text())

    def nginx_count(self):
        """What nginx itself wrote down of requests to the demo's host."""
        count = 0
        with open(DATA / "platform/nginx/access.log", encoding="utf-8", errors="replace") as lines:
            lines.seek(self.log_start)
            for line in lines:
                if f'"host":"{HOST}"' in line:
                    count += 1
        return count

    # The story

    def run(self):
        WORK.mkdir(parents=True, exist_ok=True)
        # Metrics of an earlier run are no part of the ledger, and the query looks five minutes back: the errors of the
        # last broken canary would count against the next good one.
        shutil.rmtree(DATA / "prometheus" / "data", ignore_errors=True)
        started = time.time()
        say(f"Rollbook serves on {self.server} (ledger, pods and logs below {DATA.name}/)")
        self.start(
            ["rollbook", "serve", "--embedded", "--data", str(DATA), "--port", str(self.api), "--traffic-port",
             str(self.traffic), "--prometheus-port", str(self.prometheus)], "serve.log")
        self.wait_ready()
        known = self.get("/api/v1/rollouts")["rollouts"]
        if known:
            print(f"found the ledger as it was: {self.get('/api/v1/events?backwards=true&limit=1')['events'][0]['position']}"
                  " events")
        else:
            self.rollbook("apply", "-f", "deploy/example/payments-api.yaml")
        self.wait_phase({"Healthy", "Degraded"}, None, 120)
        first = self.wait_whole(60)
        releases = max((revision["number"] for revision in first["revisions"]), default=1)
        good, bad = f"1.{4 + releases}.0", f"1.{4 + releases}.0-broken"

        access_log = DATA / "platform/nginx/access.log"
        self.log_start = access_log.stat().st_size if access_log.exists() else 0
        say(f"Steady traffic: {RATE} requests a second to http://127.0.0.1:{self.traffic}/ (Host: {HOST})")
        for stale in ("load.json", "requests.ndjson"):
            (WORK / stale).unlink(missing_ok=True)
        generator = self.start(
            ["payments-api", "load", "--url", f"http://127.0.0.1:{self.traffic}/", "--host", HOST, "--rate", str(RATE),
             "--output", str(WORK / "load.json"), "--log", str(WORK / "requests.ndjson")], "load.log")
        time.sleep(2)

        say(f"A good release: {good}")
        self.rollbook("set", "image", NAME, f"app=registry.example.com/{NAME}:{good}")
        good_view = self.wait_phase({"Healthy", "Degraded"}, self.view()["release"]["id"], 240)
        say(f"A bad one: {bad} answers 500 to every fifth request")
        self.rollbook("set", "image", NAME, f"app=registry.example.com/{NAME}:{bad}")
        bad_view = self.wait_phase({"Degraded", "Healthy"}, self.view()["release"]["id"], 240)
        # What comes after the switch is part of the proof: nothing of it may be the canary's.
        time.sleep(3)
        bad_view = self.view()
        self.stop(generator)

        say("The history")
        self.rollbook("history", NAME)
        say("The audit of the abort: which measurement, which value, which rule")
        self.rollbook("audit", NAME)
        events = self.events()
        mine = [e for e in events if e["correlation"] == bad_view["release"]["id"]]
        aborted = next((e for e in mine if e["type"] == "rollout.aborted.v1"), None)
        if aborted:
            at = moment(aborted["occurredAt"])
            span = [datetime.datetime.fromtimestamp(t, datetime.timezone.utc).isoformat().replace("+00:00", "Z")
                    for t in (at - 30, at + 30)]
            say("A replay of the minute of the incident")
            self.rollbook("replay", NAME, "--from", span[0], "--to", span[1])
        self.measure(good_view, bad_view, events, started, good, bad)
        (WORK / "report.json").write_text(json.dumps(self.report, indent=2) + "\n")
        say("The report")
        print(json.dumps(self.report, indent=2))
        return self.judge()

    def measure(self, good_view, bad_view, events, started, good, bad):
        def of(release, kind):
            return [e for e in events if e["correlation"] == release and e["type"] == f"rollout.{kind}.v1"]

        load = self.load()
        good_release, bad_release = good_view["release"]["id"], bad_view["release"]["id"]
        promoted = [e["position"] for e in of(good_release, "completed")] or [float("inf")]
        aborted = of(bad_release, "aborted")
        bad_report = {
            "phase": bad_view["phase"], "final_weight": bad_view["actualWeight"], "message": bad_view["message"]}
        if aborted:
            decided = self.decisions().get(bad_release)
            answered = moment(of(bad_release, "measurement-taken")[-1]["data"]["finishedAt"])
            if decided is not None:
                committed = answered + decided / 1000
                last = load["versions"].get(bad, {}).get("lastFinished", {}).get("finishedAt")
                bad_report["decision_ms"] = round(decided, 3)
                if last is not None:
                    bad_report["reroute_ms"] = round(max(0.0, last / 1000 - committed * 1000), 3)
        broken = load["versions"].get(bad, {"total": 0, "statuses": {}})
        failed = {v: sum(n for s, n in c["statuses"].items() if s.startswith("5")) for v, c in load["versions"].items()}
        # Nothing is to be added to what is reported.
        self.stop(self.children[0])
        rebuilt = subprocess.run(
            ["rollbook", "rebuild", "--check", "--data", str(DATA), "--embedded", "-o", "json"], env=self.environment,
            capture_output=True, text=True, check=False)
        if rebuilt.returncode not in (0, 1):
            raise SystemExit(f"rollbook rebuild --check: {rebuilt.stderr}")
        self.report = {
            "good": {
                "version": good, "phase": good_view["phase"],
                "weights_applied": [e["data"]["canary"] for e in of(good_release, "weight-applied")
                                    if e["position"] < promoted[0]],
            },
            "bad": {"version": bad, **bad_report},
            "requests": {
                "total": load["total"], "nginx": self.nginx_count(), "lost": load["lost"],
                "reconnected": load["reconnected"], "failed_5xx": load["failed5xx"],
                "failed_5xx_of_broken": failed.get(bad, 0), "exposed_to_broken": broken["total"],
            },
            "ledger": {
                "events": events[-1]["position"], "actors": len({e["actor"]["subject"] for e in events}),
            },
            "replay": json.loads(rebuilt.stdout),
            "seconds": round(time.time() - started, 1),
        }

    def decisions(self):
        """Milliseconds from the arrival of the deciding answer to the commit of the abort, by release, as logged."""
        found = {}
        for line in (WORK / "serve.log").read_text(errors="replace").splitlines():
            if "release aborted" in line:
                fields = dict(part.split("=", 1) for part in line.split() if "=" in part)
                found[fields.get("release.id")] = float(fields.get("decision.ms", "nan"))
        return found

    def judge(self):
        """What the demo promises; each failure in words."""
        r = self.report
        promises = [
            (r["good"]["phase"] == "Healthy", "the good release is Healthy"),
            (r["good"]["weights_applied"] == [5, 25, 50, 100], "its weights were 5, 25, 50, 100"),
            (r["bad"]["phase"] == "Degraded", "the bad release is Degraded"),
            (r["bad"].get("decision_ms", 1e9) <= 20, "the abort was decided and committed within 20 ms"),
            (r["bad"].get("reroute_ms", 1e9) <= 300, "the canary answered nothing 300 ms after that"),
            (r["bad"]["final_weight"] == 0, "the bad release's weight is 0"),
            (r["requests"]["total"] >= 2000, "at least 2000 requests were made"),
            (r["requests"]["total"] == r["requests"]["nginx"], "nginx counted the same requests"),
            (r["requests"]["lost"] == 0, "no request was lost"),
            (r["requests"]["failed_5xx"] == r["requests"]["failed_5xx_of_broken"],
             "every 5xx came from the broken canary"),
            (r["ledger"]["actors"] >= 2, "at least two actors stand in the ledger"),
            (r["replay"]["identical"], "the read models rebuild byte for byte"),
        ]
        broken = [words for kept, words in promises if not kept]
        for words in broken:
            print(f"NOT KEPT: {words}", file=sys.stderr)
        return 1 if broken else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ci", choices=["yes", "no"], default="no")
    demo = Demo(parser.parse_args().ci == "yes")

    def interrupted(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupted)
    code = 1
    try:
        code = demo.run()
        if not demo.ci:
            say(f"The service stays up: curl -H 'Host: {HOST}' http://127.0.0.1:{demo.traffic}/  (Ctrl-C ends it)")
            signal.pause()
    except KeyboardInterrupt:
        code = 0 if not demo.ci else 130
    finally:
        say("Stopping everything")
        demo.end()
    sys.exit(code)


if __name__ == "__main__":
    main()
