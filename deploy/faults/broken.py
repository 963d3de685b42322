"""What is raised when something does not hold, how facts are waited for, and how programs are run."""

import subprocess
import time


class Broken(Exception):
    """Something that must hold does not; says where, and of which event."""


class Skipped(Exception):
    """This machine does not let a scenario be tried; says why."""


def output(arguments, patience=120, **options):
    """The exit status of a program, and all that it said; one that does not end is broken."""
    try:
        answer = subprocess.run([str(a) for a in arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                check=False, timeout=patience, **options)
    except subprocess.TimeoutExpired as late:
        raise Broken(f"{arguments[0]} did not end within {patience} s: {late.output}") from late
    return answer.returncode, answer.stdout


def reap(process, seconds=20, words=None):
    """Waits for the end of a process that was killed, or told to end; one that stays is broken."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired as late:
        raise Broken(f"{words or f'process {process.pid}, which was killed,'} is still there after {seconds} s") from late


def until(seconds, fact, give_up=lambda: False, pause=0.005):
    """Whether `fact` came true within `seconds`, and before there was reason to give up."""
    deadline = time.monotonic() + seconds
    while True:
        found = fact()
        if found:
            return found
        if time.monotonic() > deadline or give_up():
            return fact()
        time.sleep(pause)
