"""What is raised when something does not hold, and how facts are waited for."""

import time


class Broken(Exception):
    """Something that must hold does not; says where, and of which event."""


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
