# SPDX-License-Identifier: Apache-2.0
"""Merkle trees by the recursive definitions of RFC 9162 2.1, over all leaves at once; and the tables of tests/vectors/merkle.h
(python3 -m tests.peers.merkle > tests/vectors/merkle.h)."""
import hashlib


def sha256(octets):
    return hashlib.sha256(octets).digest()


def leaf_hash(data):
    return sha256(b"\0" + data)


def split(n):
    """The largest power of two below n."""
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def root(leaves):
    """MTH(D[n]), of leaf inputs."""
    if not leaves:
        return sha256(b"")
    if len(leaves) == 1:
        return leaf_hash(leaves[0])
    k = split(len(leaves))
    return sha256(b"\1" + root(leaves[:k]) + root(leaves[k:]))


def path(m, leaves):
    """PATH(m, D[n]), 2.1.3.1."""
    if len(leaves) == 1:
        return []
    k = split(len(leaves))
    if m < k:
        return path(m, leaves[:k]) + [root(leaves[k:])]
    return path(m - k, leaves[k:]) + [root(leaves[:k])]


def proof(m, leaves):
    """PROOF(m, D[n]), 2.1.4.1."""
    return [] if m in (0, len(leaves)) else subproof(m, leaves, True)


def subproof(m, leaves, whole):
    if m == len(leaves):
        return [] if whole else [root(leaves)]
    k = split(len(leaves))
    if m <= k:
        return subproof(m, leaves[:k], whole) + [root(leaves[k:])]
    return subproof(m - k, leaves[k:], False) + [root(leaves[:k])]


def root_from_path(leaf, m, n, hashes):
    """What PATH is for: the head that a leaf's hash and its path lead to, by the same recursion."""
    if n == 1:
        if hashes:
            raise ValueError("too many hashes")
        return leaf
    k = split(n)
    if not hashes:
        raise ValueError("too few hashes")
    if m < k:
        return sha256(b"\1" + root_from_path(leaf, m, k, hashes[:-1]) + hashes[-1])
    return sha256(b"\1" + hashes[-1] + root_from_path(leaf, m - k, n - k, hashes[:-1]))


def roots_from_proof(m, n, hashes, old_root, whole=True):
    """The heads of the first m and of all n leaves that a consistency proof leads to."""
    if m == n:
        if whole:
            return old_root, old_root
        return hashes[0], hashes[0]
    k = split(n)
    if m <= k:
        old, new = roots_from_proof(m, k, hashes[:-1], old_root, whole)
        return old, sha256(b"\1" + new + hashes[-1])
    old, new = roots_from_proof(m - k, n - k, hashes[:-1], old_root, False)
    return sha256(b"\1" + hashes[-1] + old), sha256(b"\1" + hashes[-1] + new)


def main(sizes=131):
    leaves = [b"leaf %d" % i for i in range(sizes)]
    print("/* SPDX-License-Identifier: Apache-2.0 */")
    print("/* Made by tests/peers/merkle.py from RFC 9162 2.1, leaf i being \"leaf <i>\": for every size the head; SHA-256 over all")
    print(" * inclusion proofs, index 0 first; SHA-256 over all consistency proofs, old size 0 first. */")
    print("static const struct { const char *root, *paths, *proofs; } merkle_rows[] = {")
    for n in range(sizes):
        first = leaves[:n]
        paths = sha256(b"".join(b"".join(path(m, first)) for m in range(n)))
        proofs = sha256(b"".join(b"".join(proof(m, first)) for m in range(n + 1)))
        print('\t{ "%s",\n\t  "%s",\n\t  "%s" },' % (root(first).hex(), paths.hex(), proofs.hex()))
    print("};")


if __name__ == "__main__":
    main()
