"""Shared memory between programs of one machine, for Python, through tenon_shm.h.

    cc -O2 -shared -fPIC -DTENON_SHM_IMPLEMENTATION -x c tenon_shm.h -o libtenon_shm.so

makes the library that it needs, beside this file or where the environment variable
TENON_SHM_LIBRARY says. Then

    with tenon_shm.dial("video") as c:
        c.send("a text message")
        c.send(b"one of bytes")
        for message in c:
            print(message)

talks to a listener such as tenon shm-msg-listen:video. Errors are OSErrors, as
tenon_shm.h lists them. The rules on threads are those of the header too; calls that wait
let other threads run.
"""

import ctypes
import errno
import os
from ctypes import POINTER, byref, c_char_p, c_int, c_size_t, c_ssize_t, c_void_p

BYTES, MESSAGES = 0, 1
_TEXT = 1


def _load():
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "libtenon_shm.so")
    lib = ctypes.CDLL(os.environ.get("TENON_SHM_LIBRARY", beside), use_errno=True)
    for name, result, *arguments in (
        ("dial", c_void_p, c_char_p),
        ("listen", c_void_p, c_char_p, c_size_t, c_int),
        ("accept", c_void_p, c_void_p),
        ("listener_close", None, c_void_p),
        ("timeouts", None, c_void_p, c_int, c_int),
        ("mode", c_int, c_void_p),
        ("max_msg", c_size_t, c_void_p),
        ("read", c_ssize_t, c_void_p, c_void_p, c_size_t),
        ("write", c_ssize_t, c_void_p, c_char_p, c_size_t),
        ("peek", c_int, c_void_p, POINTER(c_void_p), POINTER(c_size_t), POINTER(c_int)),
        ("release", c_int, c_void_p, c_size_t),
        ("send_msg", c_int, c_void_p, c_char_p, c_size_t, c_int),
        ("send_fd", c_int, c_void_p, c_int),
        ("recv_fd", c_int, c_void_p, POINTER(c_int)),
        ("shutdown_write", c_int, c_void_p),
        ("abort", None, c_void_p),
        ("close", None, c_void_p),
    ):
        function = getattr(lib, "tenon_shm_" + name)
        function.restype, function.argtypes = result, arguments
    return lib


_lib = _load()


def _call(name, *arguments):
    """Calls a function. After a signal, whose handler has run by then, it calls it again."""
    function = getattr(_lib, "tenon_shm_" + name)
    while True:
        result = function(*arguments)
        if result is not None and result != -1:
            return result
        number = ctypes.get_errno()
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number), name)


def dial(name):
    """Connects to a listener. Its mode is the listener's business."""
    return Connection(_call("dial", os.fsencode(name)))


class Listener:
    """A socket that waits for connections."""

    def __init__(self, name, mode=MESSAGES, ring_size=0):
        self._l = _call("listen", os.fsencode(name), ring_size, mode)

    def accept(self):
        return Connection(_call("accept", self._l))

    def close(self):
        l, self._l = self._l, None
        _lib.tenon_shm_listener_close(l)

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()


class Connection:
    """One connection, of bytes (read, write) or of messages (send, recv, iteration)."""

    def __init__(self, c):
        self._c = c
        self.mode = _lib.tenon_shm_mode(c)
        self.max_msg = _lib.tenon_shm_max_msg(c)

    def timeouts(self, read, write):
        """Sets how many milliseconds calls may wait; -1 is for ever."""
        _lib.tenon_shm_timeouts(self._c, read, write)

    def read(self, n=65536):
        """Returns some bytes, n at most, and b"" at the end."""
        buffer = ctypes.create_string_buffer(n)
        got = _call("read", self._c, buffer, n)
        return ctypes.string_at(buffer, got)

    def write(self, data):
        """Writes all the bytes."""
        done = 0
        while done < len(data):
            done += _call("write", self._c, data[done:], len(data) - done)

    def recv(self):
        """Returns a message, a str if it is text, and None at the end."""
        p, n, flags = c_void_p(), c_size_t(), c_int()
        if _call("peek", self._c, byref(p), byref(n), byref(flags)) == 0:
            return None
        data = ctypes.string_at(p, n.value)
        _call("release", self._c, n)
        return data.decode("utf-8", "replace") if flags.value & _TEXT else data

    def send(self, message):
        """Sends bytes, or a str as text."""
        text = isinstance(message, str)
        data = message.encode() if text else bytes(message)
        _call("send_msg", self._c, data, len(data), _TEXT if text else 0)

    def send_fd(self, fd):
        """Hands an open file to the other program; it stays open here."""
        _call("send_fd", self._c, fd)

    def recv_fd(self):
        """Returns the next descriptor that the other program hands over, and None at the end."""
        fd = c_int()
        return fd.value if _call("recv_fd", self._c, byref(fd)) else None

    def shutdown_write(self):
        """Says that no more comes; reading goes on."""
        _call("shutdown_write", self._c)

    def abort(self):
        """Lets the other side fail instead of reading an end. close still has to follow."""
        _lib.tenon_shm_abort(self._c)

    def close(self):
        c, self._c = self._c, None
        _lib.tenon_shm_close(c)

    def __iter__(self):
        return iter(self.recv, None)

    def __enter__(self):
        return self

    def __exit__(self, kind, *unused):
        if kind is not None and self._c is not None:
            self.abort()
        self.close()
