# SPDX-License-Identifier: GPL-3.0-or-later
"""A second reader of what is sealed: coral-cast(5) and libsodium by way of PyNaCl, none of ours."""
import base64
import hashlib
import json
import subprocess

from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as aead_open
from nacl.public import PrivateKey, SealedBox


def subkey(key, n, context):
    return hashlib.blake2b(b"", digest_size=32, key=key, salt=n.to_bytes(8, "little") + bytes(8),
                           person=context + bytes(8)).digest()


def unpad(text):
    text = text.rstrip(b"\0")
    assert text[-1] == 0x80
    return text[:-1]


def session_key(coral, key_file):
    """The session's key, out of what has "sealing", and the file of an auditor's secret."""
    key = json.loads(key_file.read_text())
    mine = hashlib.sha256(base64.b64decode(key["public"])).hexdigest()[:16]
    box, = [one["box"] for one in coral["sealing"]["to"] if one["id"] == mine]
    plain = SealedBox(PrivateKey(base64.b64decode(key["secret"]))).decrypt(base64.b64decode(box))
    assert plain[32:].decode() == coral["session_id"]
    return plain[:32]


def sealed_input(cast, key_file):
    """Every text that was typed unseen, of the bytes of a recording."""
    header, *lines = [json.loads(line) for line in cast.splitlines()]
    key = subkey(session_key(header["coral"], key_file), 1, b"coralinp")
    found = []
    for _, code, data in lines:
        facts = json.loads(data).get("sealed") if code == "c" else None
        if facts:
            assert facts["n"] == len(found)
            box = base64.b64decode(facts["box"])
            place = f"coral sealed input 1\n{header['coral']['session_id']}\n{facts['n']}\n"
            found.append(unpad(aead_open(box[24:], place.encode(), box[:24], key)))
    return found


def decrypted(data, key_file):
    """The recording in an encrypted file, and the note in clear that ends it."""
    line, _, rest = data.partition(b"\n")
    first = json.loads(line)
    key = subkey(session_key(first, key_file), 2, b"coralrec")
    digest = hashlib.sha256(line + b"\n").digest()
    out, n = b"", 0
    while rest:
        kind, size = rest[:1], int.from_bytes(rest[1:4], "big")
        nonce, tag, text = rest[4:28], rest[28:44], rest[44:44 + size]
        place = (b"coral sealed recording 1\n" + digest + kind + n.to_bytes(8, "big")
                 + len(out).to_bytes(8, "big"))
        if kind == b"E":
            assert aead_open(tag, place + text, nonce, key) == b""
            assert rest[44 + size:] == size.to_bytes(4, "big") + b"cEnd"
            return out, json.loads(text)
        piece = aead_open(text + tag, place, nonce, key)
        if kind == b"Z":
            piece = subprocess.run(["zstd", "-dcq"], input=piece, stdout=subprocess.PIPE,
                                   check=True).stdout
        else:
            assert kind == b"D"
        out += piece
        rest, n = rest[44 + size:], n + 1
    return out, None
