"""Checks proofs and trees without a line of the program that made them, after Sources/Transparency/FORMAT.md.

    check.py proof FILE KEY    a proof that `rollbook prove` wrote; needs the package `cryptography`
    check.py trees FILE        trees and proofs that the test suite made, against the package `pymerkle`

Ends with status 0 and a line that says what was checked, or with status 1 and why not.
"""

import base64
import hashlib
import json
import struct
import sys
import uuid

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


class Wrong(Exception):
    """What does not hold."""


def need(holds, why):
    if not holds:
        raise Wrong(why)


def sha256(data):
    return hashlib.sha256(data).digest()


def leaf_hash(entry):
    return sha256(b"\x00" + entry)


def node_hash(left, right):
    return sha256(b"\x01" + left + right)


# What is hashed ------------------------------------------------------------------------------------------------------


def parts(*values):
    text = b""
    for value in values:
        if value is None:
            text += struct.pack(">i", -1)
            continue
        if isinstance(value, int):
            value = struct.pack(">q", value)
        elif isinstance(value, uuid.UUID):
            value = value.bytes
        elif isinstance(value, str):
            value = value.encode()
        text += struct.pack(">i", len(value)) + value
    return text


def content_hash(content):
    cause = content.get("causation")
    return sha256(parts(
        "rollbook.event.v1", content["type"], content["occurredAt"], uuid.UUID(content["correlation"]),
        uuid.UUID(cause) if cause else None, content["subject"], content["issuer"], content["method"],
        content.get("onBehalfOf"), content["data"], content["metadata"]))


def entry(leaf):
    return parts(
        "rollbook.leaf.v1", leaf["position"], leaf["epoch"], leaf["stream"], leaf["version"], uuid.UUID(leaf["event"]),
        leaf["recordedAt"], base64.b64decode(leaf["contentHash"]))


# What is signed ------------------------------------------------------------------------------------------------------


def note_text(note, keys):
    """The text of a note that one of `keys` has signed."""
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    for line in signatures.splitlines():
        dash, name, encoded = line.split(" ")
        need(dash == "\u2014", "a signature line begins otherwise")
        signature = base64.b64decode(encoded)
        for key in keys:
            key_name, key_id, key_bytes = key.split("+", 2)
            key_bytes = base64.b64decode(key_bytes)
            need(sha256(key_name.encode() + b"\n" + key_bytes)[:4].hex() == key_id, "the key's id is not its own")
            if name == key_name and signature[:4].hex() == key_id:
                try:
                    Ed25519PublicKey.from_public_bytes(key_bytes[1:]).verify(signature[4:], text.encode())
                except InvalidSignature:
                    raise Wrong("a signature is not valid") from None
                return text
    raise Wrong("no trusted key has signed")


def tree_head(note, keys):
    origin, size, root = note_text(note, keys).splitlines()[:3]
    need(any(origin == key.split("+")[0] or origin.startswith(key.split("+")[0] + "/epoch-") for key in keys),
         "the head is another log's")
    return origin, int(size), base64.b64decode(root)


def follow(announcements, keys):
    for note in announcements:
        lines = note_text(note, keys).splitlines()
        need(lines[0] == "rollbook.key-announced.v1", "an announcement begins otherwise")
        keys = keys + [lines[1]]
    return keys


# Proofs, after RFC 9162 §2.1.3.2 and §2.1.4.2 -----------------------------------------------------------------------


def check_inclusion(leaf, index, size, path, root):
    need(index < size, "the index is beyond the tree")
    fn, sn, r = index, size - 1, leaf
    for p in path:
        need(sn != 0, "the path is too long")
        if fn & 1 or fn == sn:
            r = node_hash(p, r)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            r = node_hash(r, p)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and r == root, "the path does not lead to the root")


def check_consistency(first, second, path, first_root, second_root):
    if first == second or first == 0:
        need(not path and (first == 0 or first_root == second_root), "the roots differ")
        return
    path = list(path)
    if first & (first - 1) == 0:
        path = [first_root] + path
    need(path, "the path is empty")
    fn, sn = first - 1, second - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    fr = sr = path[0]
    for c in path[1:]:
        need(sn != 0, "the path is too long")
        if fn & 1 or fn == sn:
            fr, sr = node_hash(c, fr), node_hash(c, sr)
            while not fn & 1 and fn != 0:
                fn, sn = fn >> 1, sn >> 1
        else:
            sr = node_hash(sr, c)
        fn, sn = fn >> 1, sn >> 1
    need(sn == 0 and fr == first_root and sr == second_root, "the path does not lead to both roots")


def check_proof(file, key):
    proof = json.load(open(file, encoding="utf-8"))
    keys = follow(proof["announcements"], [key])
    path = [base64.b64decode(step) for step in proof["path"]]
    if proof["format"] == "rollbook.inclusion-proof.v1":
        origin, size, root = tree_head(proof["treeHead"], keys)
        leaf = proof["leaf"]
        if "content" in proof:
            need(content_hash(proof["content"]) == base64.b64decode(leaf["contentHash"]), "the content is another")
        check_inclusion(leaf_hash(entry(leaf)), leaf["position"] - 1, size, path, root)
        return f"position {leaf['position']} of {size} in {origin}"
    need(proof["format"] == "rollbook.consistency-proof.v1", "an unknown format")
    old = tree_head(proof["oldTreeHead"], keys)
    new = tree_head(proof["newTreeHead"], keys)
    need(old[0] == new[0], "the heads are of two logs")
    check_consistency(old[1], new[1], path, old[2], new[2])
    return f"{old[1]} to {new[1]} in {old[0]}"


# Trees of the suite, against pymerkle --------------------------------------------------------------------------------


def subproof(m, start, end, whole):
    """The ranges of leaves whose hashes make up a consistency proof, after RFC 9162 §2.1.4.1."""
    n = end - start
    if m == n:
        return [] if whole else [(start, end)]
    k = 1 << ((n - 1).bit_length() - 1)
    if m <= k:
        return subproof(m, start, start + k, whole) + [(start + k, end)]
    return subproof(m - k, start + k, end, False) + [(start, start + k)]


def check_trees(file):
    import pymerkle
    from pymerkle.core import _consistency_path_layout, _inclusion_path_layout

    given = json.load(open(file, encoding="utf-8"))
    tree = pymerkle.InmemoryTree(algorithm="sha256")
    for text in given["entries"]:
        tree.append_entry(base64.b64decode(text))
    for note, root_size in given["heads"]:
        _, size, root = tree_head(note, [given["key"]])
        need(size == root_size and root == tree.get_root(size), f"the head of {size} has another root")
    counts = [0, 0, 0]
    for index, size, path in given["inclusions"]:
        path = [base64.b64decode(step) for step in path]
        leaf, root = tree.get_leaf(index + 1), tree.get_root(size)
        rule, _ = _inclusion_path_layout(index + 1, size)
        for change in [None, *range(len(path))]:
            hashes = [leaf] + path
            if change is not None:
                hashes[change + 1] = sha256(hashes[change + 1])
            proof = pymerkle.InclusionProof("sha256", True, size, index + 1, rule, hashes)
            try:
                pymerkle.verify_inclusion(leaf, root, proof, index=index + 1, size=size)
                need(change is None, f"pymerkle accepts a changed proof of {index} in {size}")
            except pymerkle.InvalidProof:
                need(change is not None, f"pymerkle refuses the proof of {index} in {size}")
        counts[0] += 1
    for old, new, path in given["consistencies"]:
        path = [base64.b64decode(step) for step in path]
        roots = tree.get_root(old), tree.get_root(new)
        check_consistency(old, new, path, *roots)
        counts[1] += 1
        if old == 0:
            continue
        # pymerkle takes some subtrees apart that the RFC leaves whole; where both use the same ones it is asked too.
        rule, subset, ranges = _consistency_path_layout(old, new)
        ours = dict(zip(subproof(old, 0, new, True), path))
        ours[(0, old)] = roots[0]
        if all(part in ours for part in ranges):
            hashes = [ours[part] for part in ranges]
            proof = pymerkle.ConsistencyProof("sha256", True, new, old, rule, subset, hashes)
            pymerkle.verify_consistency(*roots, proof, prior_size=old, later_size=new)
            counts[2] += 1
    return (f"{len(given['heads'])} heads, {counts[0]} inclusion proofs, {counts[1]} consistency proofs "
            f"({counts[2]} of them by pymerkle's own check)")


def main(arguments):
    try:
        if arguments[:1] == ["proof"] and len(arguments) == 3:
            print(check_proof(*arguments[1:]))
        elif arguments[:1] == ["trees"] and len(arguments) == 2:
            print(check_trees(arguments[1]))
        else:
            sys.exit(__doc__)
    except Wrong as wrong:
        sys.exit(f"does not hold: {wrong}")


main(sys.argv[1:])
