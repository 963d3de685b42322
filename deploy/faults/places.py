"""Where scenarios put what needs a short path."""

import pathlib
import tempfile


def short_place(run):
    """A folder whose sockets have short paths, and that the server's user can come through."""
    place = pathlib.Path(tempfile.mkdtemp(prefix="rbf-", dir="/tmp"))
    place.chmod(0o755)
    run.places.append(place)
    return place
