"""An S3 server on this machine, and a line to it that breaks."""

import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import count

from checkout import free_port, serving


@contextmanager
def s3_server() -> Iterator[str]:
    """Serve buckets, held in memory, while the address is used."""
    port = free_port()
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    with serving(command, port, stderr=-3) as address:
        yield address.rstrip("/")


class Line:
    """Passes bytes on to a server; some of its connections end before the answer is whole.

    Attributes:
        address: Takes the place of the server's.
        cut: After how many bytes of the answer a connection ends, by its number from 0; None for none.
        connections: How many there were.
        is_down: Whether every connection ends at once.
    """

    def __init__(self, server: str) -> None:
        self._server = ("127.0.0.1", int(server.rpartition(":")[2]))
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self.cut = lambda number: None
        self.connections = 0
        self.is_down = False
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._listening.close()

    def _serve(self) -> None:
        with suppress(OSError):
            for number in count():
                caller, _ = self._listening.accept()
                self.connections = number + 1
                if self.is_down:
                    caller.close()
                    continue
                threading.Thread(target=self._pass, args=(caller, self.cut(number)), daemon=True).start()

    def _pass(self, caller: socket.socket, most: int | None) -> None:
        with caller, suppress(OSError), socket.create_connection(self._server) as server:
            threading.Thread(target=self._forward, args=(caller, server), daemon=True).start()
            passed = 0
            while chunk := server.recv(2**14):
                if self.is_down or (most is not None and passed + len(chunk) > most):
                    break
                caller.sendall(chunk)
                passed += len(chunk)
            for end in (caller, server):  # closing alone would wait for the other thread
                end.shutdown(socket.SHUT_RDWR)

    def _forward(self, caller: socket.socket, server: socket.socket) -> None:
        with suppress(OSError):
            while chunk := caller.recv(2**14):
                server.sendall(chunk)
