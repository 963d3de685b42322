"""A private PostgreSQL, set up as `serve --embedded` sets one up, that is started and stopped at will."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import time

from broken import Broken, output, reap, until

SETTINGS = {
    "listen_addresses": "", "unix_socket_permissions": "0700", "max_connections": "200", "shared_buffers": "128MB",
    "work_mem": "8MB", "max_wal_size": "1GB", "fsync": "on", "synchronous_commit": "on", "full_page_writes": "on",
    "timezone": "UTC", "log_timezone": "UTC", "logging_collector": "off", "log_line_prefix": "%m [%p] %q%a ",
}


def binaries():
    """The folder with the newest server's programs."""
    debian = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: int(p.parent.parent.name))
    if debian:
        return debian[-1].parent
    return pathlib.Path(output(["pg_config", "--bindir"])[1].strip())


class Server:
    """Data, socket and log in `place`, a folder with a short path; WAL in `wal`, if that is given."""

    def __init__(self, place, wal=None, data=None, settings=None, segment=None, copy_of=None):
        self.bin = binaries()
        self.place = place
        self.data = data or place / "data"
        self.socket = place / "run"
        self.log = place / "postgresql.log"
        self.process = None
        # Run by root, the server needs another user.
        self.account = {"user": "postgres", "group": "postgres", "extra_groups": []} if os.geteuid() == 0 else {}
        for folder in filter(None, (self.place, self.data, self.socket, wal)):
            folder.mkdir(exist_ok=True)
            self.give(folder)
        if copy_of is None:
            self.make(wal, segment)
        elif isinstance(copy_of, Server):
            self.tool("pg_basebackup", "-h", copy_of.socket, "-U", "postgres", "-D", self.data, "-X", "stream",
                      "--checkpoint=fast")
        else:
            self.data.rmdir()
            shutil.copytree(copy_of, self.data, copy_function=self.copy)
            for folder, _, _ in os.walk(self.data):
                self.give(folder)
        text = "".join(f"{k} = '{v}'\n" for k, v in {
            **SETTINGS, "unix_socket_directories": str(self.socket), **(settings or {})}.items())
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(text)

    def make(self, wal, segment):
        arguments = ["-D", self.data, "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8",
                     "--data-checksums", "--no-sync"]
        arguments += [f"--waldir={wal}"] if wal else []
        arguments += [f"--wal-segsize={segment}"] if segment else []
        self.tool("initdb", *arguments)

    def copy(self, source, target):
        shutil.copy(source, target)
        if self.account:
            os.chown(target, pwd.getpwnam("postgres").pw_uid, pwd.getpwnam("postgres").pw_gid)

    def follow(self, primary):
        """Becomes a replica of another server, of which it is a copy."""
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as file:
            file.write(f"primary_conninfo = 'host={primary.socket} port=5432 user=postgres'\n")
        (self.data / "standby.signal").touch()
        self.give(self.data / "standby.signal")

    def give(self, path):
        if self.account:
            os.chown(path, pwd.getpwnam("postgres").pw_uid, pwd.getpwnam("postgres").pw_gid)
            os.chmod(path, 0o700)

    def tool(self, program, *arguments):
        """Runs one of PostgreSQL's programs as the owner of the data; its output."""
        status, said = output([self.bin / program, *arguments], cwd="/", **self.account)
        if status != 0:
            raise Broken(f"{program} ended with {status}: {said}")
        return said

    def start(self, patience=60):
        # Our own child, so that what has ended does not look as if it were alive.
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.bin / "postgres", "-D", self.data], stdout=log, stderr=log, cwd="/",
                                            start_new_session=True, **self.account)
        if not until(patience, self.is_ready, lambda: self.process.poll() is not None) or self.process.poll() is not None:
            raise Broken(f"the server did not become ready; {self.log} ends: {self.log.read_text()[-1500:]}")

    def is_ready(self):
        try:
            lines = (self.data / "postmaster.pid").read_text().split("\n")
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(self.process.pid) and lines[7].startswith(("ready", "standby"))

    def stop(self, mode="immediate"):
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal({"immediate": signal.SIGQUIT, "fast": signal.SIGINT}[mode])
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired as late:
                self.process.kill()
                reap(self.process)
                raise Broken(f"the server did not stop ({mode}) within 60 s; {self.log}") from late

    def kill(self):
        """Kills every process of the server at once, as the loss of its machine does; how many there were."""
        # Stopped, it neither starts others nor begins to recover while its children are killed one by one.
        self.process.send_signal(signal.SIGSTOP)
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        killed = set()
        deadline = time.monotonic() + 20
        while left := [int(pid) for pid in children.read_text().split() if not is_zombie(pid)]:
            if time.monotonic() > deadline:
                raise Broken(f"the server's processes {left}, which were killed, are still there after 20 s")
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            killed.update(left)
        # Of what it shared in memory, this piece is nobody's now.
        key = (self.data / "postmaster.pid").read_text().split("\n")[6].split()
        self.process.kill()
        reap(self.process)
        output(["ipcrm", "-m", key[1]])
        return len(killed) + 1

    def is_down(self):
        return self.process.poll() is not None

    def complaints(self):
        """How often the server has said that it wants space."""
        return self.log.read_text().count("No space left on device")

    def answers(self):
        try:
            return bool(self.ask("select 1"))
        except Broken:
            return False

    def address(self, database):
        return f"host={self.socket} port=5432 user=postgres dbname={database}"

    def ask(self, sql, database="postgres"):
        """The rows of a query, each a list of texts."""
        status, said = output(
            [self.bin / "psql", "-XAtq", "-F", "\t", "-v", "ON_ERROR_STOP=1", "-d", self.address(database), "-c", sql],
            env={**os.environ, "PGOPTIONS": "-c client_min_messages=error"})
        if status != 0:
            raise Broken(f"the server refused “{sql}”: {said.strip()}")
        return [line.split("\t") for line in said.splitlines()]

    def settle(self, database, names="chaos-writer"):
        """Waits until no session of such an application is left: what was sent is done then, or never will be."""
        count = f"select count(*) from pg_stat_activity where datname = '{database}' and application_name like '{names}%'"
        if not until(30, lambda: self.ask(count)[0][0] == "0"):
            raise Broken(f"30 s after the end of its clients the server still works for {names} on {database}")


def is_zombie(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def create_database(server, name):
    server.ask(f"create database {name}")
    status, said = output(["rollbook", "migrate", "--database", server.address(name)])
    if status != 0:
        raise Broken(f"rollbook migrate ended with {status}: {said}")
    return name


def now():
    """Microseconds since 1970, as the journals have them."""
    return time.time_ns() // 1000
