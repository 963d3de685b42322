"""Holds what the instances wrote down against the log itself."""

from broken import Broken, output, until


class Log:
    """The whole log as the database has it, and what must hold of it alone."""

    def __init__(self, server, database):
        self.events = []
        self.place = {}
        versions, stamp, epoch, fence = {}, 0, 0, {}
        for row in server.ask(
                "copy (select e.position, s.name, e.version, e.event_id, e.epoch, "
                "(extract(epoch from e.recorded_at) * 1000000)::bigint, coalesce((e.data::json->>'fence')::bigint, 0) "
                "from ledger.event e join ledger.stream s using (stream_id) order by e.position) to stdout", database):
            position, stream, version, event = int(row[0]), row[1], int(row[2]), row[3]
            at = f"position {position}, event {event} ({stream} version {version})"
            if position != len(self.events) + 1:
                raise Broken(f"{at}: position {len(self.events) + 1} was expected: a gap or a repeat in the log")
            if version != versions.get(stream, 0) + 1:
                raise Broken(f"{at}: version {versions.get(stream, 0) + 1} was expected")
            if event in self.place:
                raise Broken(f"{at}: the event stands at position {self.place[event]} already")
            if int(row[5]) < stamp or int(row[4]) < epoch:
                raise Broken(f"{at}: recorded before its predecessor, or in an earlier epoch")
            # Under a lease's epoch nothing may be appended once there was something under a later one.
            if row[6] != "0":
                if int(row[6]) < fence.get("epoch", 0):
                    raise Broken(f"{at}: appended under epoch {row[6]} of the lease, after epoch {fence['epoch']} at "
                                 f"position {fence['position']}")
                fence = {"epoch": int(row[6]), "position": position}
            versions[stream], stamp, epoch = version, int(row[5]), int(row[4])
            self.events.append((stream, version, event))
            self.place[event] = position
        gaps = server.ask(
            "select first_position, before from (select first_position, lag(last_position) over (order by last_position) "
            "as before from ledger.append_batch) b where first_position <> before + 1 and before is not null limit 1",
            database)
        if gaps:
            raise Broken(f"position {gaps[0][0]}: its batch follows one that ends at {gaps[0][1]}")
        head = int(server.ask("select max(last_position) from ledger.append_batch", database)[0][0])
        if head != len(self.events):
            raise Broken(f"position {head} is the head, but the log ends at {len(self.events)}")
        self.receipts = {}
        for command, stream, version, position in server.ask(
                "copy (select r.command_id, s.name, r.version, r.position from ledger.receipt r "
                "join ledger.stream s using (stream_id)) to stdout", database):
            self.receipts[command, stream] = (int(version), int(position))

    def check_writer(self, instance):
        """Every fact of a writer's journal."""
        sent, known = {}, set()
        for line in instance.journal.read_text().splitlines():
            word, append, *rest = line.split(" ")
            if word == "sent":
                sent[append] = rest
                known.update(rest[4].split(","))
            elif word == "made":
                self.check_made(instance.name, append, sent[append], int(rest[0]), int(rest[1]))
            elif word == "none":
                for event in sent[append][4].split(","):
                    if event in self.place:
                        raise Broken(f"position {self.place[event]}, event {event}: it is in the log, but {instance.name} "
                                     f"was told that it was not appended ({' '.join(rest)[:200]})")
        # An append is in the log whole and together, or not at all; also one that nobody was told about.
        for append, (stream, *_, events) in sent.items():
            places = [self.place.get(e) for e in events.split(",")]
            if any(places) and places != list(range(places[0] or 0, (places[0] or 0) + len(places))):
                raise Broken(f"position {places[0]}, event {append}: the events of one append stand at {places}")
            if any(places) and self.events[places[0] - 1][0] != stream:
                raise Broken(f"position {places[0]}, event {append}: it was sent to {stream}")
        return known

    def check_made(self, name, append, sent, position, version):
        stream, _, command, _, events = sent
        events = events.split(",")
        first = position - len(events) + 1
        for index, event in enumerate(events):
            wanted = (stream, version - len(events) + 1 + index, event)
            found = self.events[first + index - 1] if 0 < first + index <= len(self.events) else None
            if found != wanted:
                raise Broken(f"position {first + index}, event {event}: acknowledged to {name} as {wanted}, the log has "
                             f"{found}; the event stands at {self.place.get(event)}")
        if command != "-" and self.receipts.get((command, stream)) != (version, position):
            raise Broken(f"position {position}, event {append}: the receipt of command {command} is "
                         f"{self.receipts.get((command, stream))}")

    def check_follower(self, instance):
        """Each position once, in order, with the event that stands there; the whole log."""
        place = 0
        for line in instance.journal.read_text().splitlines():
            position, event = line.split(" ")
            if int(position) != place + 1:
                raise Broken(f"position {position}, event {event}: {instance.name} saw it after position {place}")
            if int(position) > len(self.events) or self.events[place][2] != event:
                raise Broken(f"position {position}, event {event}: {instance.name} saw it, the log has "
                             f"{self.events[place][2] if place < len(self.events) else 'nothing'} there")
            place += 1
        if place != len(self.events):
            raise Broken(f"position {place + 1}: {instance.name} did not see it")


def check(server, database, instances, strangers=0, is_served=False):
    """Ends the instances once followers have seen everything, and checks all that must hold; the log.

    Up to position `strangers` events may be of others; where `rollbook serve` takes part, those of its own streams.
    """
    instances.kill("writer")
    server.settle(database)
    head = int(server.ask("select max(last_position) from ledger.append_batch", database)[0][0])
    for follower in instances.followers:
        follower.check_alive()

        def fact(follower=follower):
            follower.news()
            return follower.place >= head

        if not until(20, fact):
            raise Broken(f"position {follower.place + 1}: {follower.name} did not come to it within 20 s")
    instances.kill("follower")
    log = Log(server, database)
    known = set()
    for writer in instances.writers:
        writer.news()
        known |= log.check_writer(writer)
    for event, position in log.place.items():
        is_ours = log.events[position - 1][0].startswith("chaos-")
        if position > strangers and event not in known and (is_ours or not is_served):
            raise Broken(f"position {position}, event {event}: nobody sent it")
    for follower in instances.followers:
        log.check_follower(follower)
    verify(server.address(database))
    return log


def check_not_refused(writer, words):
    """A fact of a writer whose appends the ledger takes or answers."""
    # To come too late for a version or under a lease is an answer; that the ledger cannot be had is none.
    if words[0] == "none" and words[2] not in ("conflict", "fenced"):
        raise Broken(f"event {words[1]}: {writer.name} was refused ({' '.join(words[2:])[:200]})")


def longest_append(writer, since=0):
    """How long the slowest append of a writer took that nobody may hold up, in microseconds, with all its repeats.

    Of those that were begun at `since` or later; none may have taken longer than 5 s.
    """
    unanswered = set(writer.open)

    def fact():
        writer.news()
        unanswered.intersection_update(writer.open)
        return not unanswered

    if not until(5, fact):
        raise Broken(f"event {sorted(unanswered)[0]}: {writer.name} is not answered within 5 s")
    longest = 0
    for line in writer.journal.read_text().splitlines():
        words = line.split(" ")
        check_not_refused(writer, words)
        if words[0] == "made" and int(words[6]) >= since:
            took = int(words[8]) - int(words[6])
            longest = max(longest, took)
            if took > 5_000_000:
                raise Broken(f"position {words[2]}, event {words[1]}: {writer.name} waited {took / 1e6:.1f} s for it")
    return longest


def verify(address):
    """Looks at every content by its hash, every name, every batch: as an auditor does."""
    status, said = output(["rollbook", "verify", "--database", address])
    if status != 0:
        raise Broken(f"rollbook verify ended with {status}: {said}")
