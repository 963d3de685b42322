"""A small shop that is released step by step, and what must hold of the log of its releases."""

import collections
import http.server
import json
import pathlib
import threading

from broken import Broken, until

STREAM = "rollout-default/default/shop"

# Of the tests as well.
MANIFEST = pathlib.Path(__file__).with_name("shop.yaml").read_text(encoding="utf-8")
# Measured as long as the release lasts.
CANARY = """      scaleDownDelaySeconds: 1
      analysis: { templates: [{ templateName: errors }] }"""


class Metrics:
    """Answers each query as a Prometheus would that has seen no error."""

    ANSWER = json.dumps({"status": "success", "data": {
        "resultType": "vector", "result": [{"metric": {}, "value": [1.5, "0"]}]}}).encode()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(Metrics.ANSWER)))
            self.end_headers()
            self.wfile.write(Metrics.ANSWER)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    def __init__(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self.Handler)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Shop:
    """The shop's releases, each with the same steps, given as lines of the manifest without their indent.

    Errors are asked of the Prometheus at `address`; without one, of who has seen none.
    """

    def __init__(self, run, steps, address=None, query="errors"):
        if address is None:
            metrics = Metrics()
            run.ending.callback(metrics.close)
            address = f"http://127.0.0.1:{metrics.port}"
        self.address, self.query = address, json.dumps(query)
        self.file = run.folder / "shop.yaml"
        self.steps = steps
        self.releases = 0

    def apply(self, service):
        """Begins the next release."""
        self.releases += 1
        words = {"TAG": self.releases, "PROGRAM": "payments-api", "CANARY": CANARY, "COUNT\n": "",
                 "STEPS": "\n".join(f"        - {step}" for step in self.steps), "ADDRESS": self.address,
                 "QUERY": self.query}
        text = MANIFEST[MANIFEST.index("apiVersion"):]
        for word, meant in words.items():
            text = text.replace(word, str(meant))
        self.file.write_text(text)
        service.order("apply", "-f", self.file)

    def events(self, service):
        """Everything that the log has of the shop."""
        return service.events(stream=STREAM)

    def wait_for(self, service, words, seconds, fact):
        """Waits for a fact about the kinds of the last release's events."""
        def found():
            events = self.events(service)
            starts = [i for i, e in enumerate(events) if kind(e) == "release-started"]
            return len(starts) == self.releases and fact([kind(e) for e in events[starts[-1]:]])

        if not until(seconds, found, pause=0.1):
            raise Broken(f"release {self.releases} of the shop: not within {seconds} s: {words}; the log ends with "
                         f"{[kind(e) for e in self.events(service)[-6:]]}")

    def wait_for_end(self, service, seconds):
        """Waits until the last release is completed, and every weight that was decided is applied."""
        self.wait_for(service, "completed, and each weight applied", seconds, lambda kinds: (
            "completed" in kinds and kinds.count("weight-decided") == kinds.count("weight-applied")))


def kind(event):
    """`weight-applied` of `rollout.weight-applied.v1`."""
    return event["type"].removeprefix("rollout.").rsplit(".", 1)[0]


def check_each_once(events):
    """Nothing is in the log twice, and nothing that was decided or begun is missing."""
    generations, steps, measured = (collections.defaultdict(list) for _ in range(3))
    for event in events:
        data, word = event["data"], kind(event)
        if word in ("weight-decided", "weight-applied"):
            generations[word].append((data["generation"], event))
        elif word == "step-entered":
            steps[event["correlation"]].append((data["index"], event))
        elif word == "measurement-taken":
            measured[data["run"], data["metric"]].append((data["number"], event))
    decided, applied = ([g for g, _ in generations[w]] for w in ("weight-decided", "weight-applied"))
    if applied != decided or decided != sorted(set(decided)):
        raise Broken(f"each weight that was decided must be applied, once and in order: decided {decided}, applied "
                     f"{applied}")
    for first, what, series in ((0, "step", steps), (1, "measurement", measured)):
        for key, found in series.items():
            for index, (number, event) in enumerate(found):
                if number != first + index:
                    raise Broken(f"position {event['position']}, event {event['id']}: {what} {number} of {key}, where "
                                 f"{first + index} was expected")
    kinds = [kind(e) for e in events]
    if kinds.count("release-started") != kinds.count("completed"):
        raise Broken(f"{kinds.count('release-started')} releases began, {kinds.count('completed')} completed")
    return sum(len(found) for found in (*steps.values(), *measured.values(), decided))
