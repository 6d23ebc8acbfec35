"""end.py - one end of a connection of shared memory in Python, for tests.

usage: end.py dial|listen NAME bytes|messages echo|say|fd|fail

"echo" sends back what comes, "say" sends things of all sorts to an echo and compares,
"fd" writes a line into the descriptor that it is given and hands it back, "fail" raises an exception.
"""

import os
import sys

import tenon_shm


def echo(c):
    if c.mode == tenon_shm.MESSAGES:
        for message in c:
            c.send(message)
    else:
        while data := c.read(10000):
            c.write(data)
    c.shutdown_write()


def say(c):
    if c.mode == tenon_shm.MESSAGES:
        for message in ("", b"", "text ✓", b"\0\xff", os.urandom(c.max_msg), *(bytes([i % 256]) * (i * 7 % 500) for i in range(3000))):
            c.send(message)
            if (back := c.recv()) != message:
                sys.exit(f"sent {message!r:.60}, received {back!r:.60}")
        try:
            c.send(bytes(c.max_msg + 1))
            sys.exit("a message that is too long was sent")
        except OSError as e:
            print(e.strerror)
    else:
        data = os.urandom(3_000_000)
        for at in range(0, len(data), 20000):
            piece, back = data[at : at + 20000], b""
            c.write(piece)
            while len(back) < len(piece):
                back += c.read()
            if back != piece:
                sys.exit(f"other bytes at {at}")
    c.shutdown_write()
    if c.recv() if c.mode == tenon_shm.MESSAGES else c.read():
        sys.exit("more than was sent")


def descriptor(c):
    while (fd := c.recv_fd()) is not None:
        os.write(fd, b"through a descriptor\n")
        c.send_fd(fd)
        os.close(fd)


def fail(c):
    raise ValueError("as it should")


def main(role, name, mode, action):
    act = {"echo": echo, "say": say, "fd": descriptor, "fail": fail}[action]
    if role == "dial":
        with tenon_shm.dial(name) as c:
            act(c)
    else:
        with tenon_shm.Listener(name, tenon_shm.MESSAGES if mode == "messages" else tenon_shm.BYTES) as l:
            print("ready", flush=True)
            with l.accept() as c:
                act(c)
    print("ok")


main(*sys.argv[1:])
