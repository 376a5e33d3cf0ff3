"""Processes that began together end together: a roll call over TCP, kept open as a lifeline.

`jax.distributed` aborts a process whose companions do not come or do not stay, with a stack trace
of its own. These connections see both earlier and end every process with one sentence.
"""

import contextlib
import json
import os
import socket
import sys
import threading
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from jaxloss.errors import InvalidInputError, require

FAILED = 1
"""Exit code of a process whose companion failed."""

_RETRY = 0.2
_GRACE = 5.0
_LONGEST = 65536

Message = dict[str, Any]


class Address(NamedTuple):
    """Where process 0 listens."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class _Line:
    """A connection that carries one JSON object a line."""

    def __init__(self, connection: socket.socket):
        self._connection = connection
        self._reader = connection.makefile("rb")

    def send(self, **message: Any) -> None:
        # Whoever cannot hear it is found dead by its silence.
        with contextlib.suppress(OSError):
            self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, seconds: float | None) -> Message | None:
        """Waits for a message; None if the other end is gone, silent or speaks otherwise."""
        try:
            self._connection.settimeout(seconds)
            message = json.loads(self._reader.readline(_LONGEST))
        except (OSError, ValueError):
            return None
        return message if isinstance(message, dict) else None

    def close(self) -> None:
        # The reader shares the descriptor; without a shutdown it would stay open.
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)
        self._reader.close()
        self._connection.close()


class Group:
    """The connections that are left after a roll call: process 0 has one to each other."""

    def __init__(self, process_id: int, lines: dict[int, _Line]):
        self._process_id = process_id
        self._lines = lines
        self._threads: list[threading.Thread] = []
        self._ending = threading.Lock()

    def watch(self) -> None:
        """Begins to end this process as soon as a companion fails."""
        for other, line in self._lines.items():
            thread = threading.Thread(target=self._listen, args=(other, line), daemon=True)
            thread.start()
            self._threads.append(thread)

    def finish(self) -> None:
        """Says that all went well here, and waits until all others say so, or one fails."""
        self._tell(done=True)
        for thread in self._threads:
            thread.join()
        for line in self._lines.values():
            line.close()

    def fail(self, reason: str) -> None:
        """Says that this process failed, and waits a moment for the others to end first."""
        if not self._ending.acquire(blocking=False):
            # A thread is ending this process already.
            threading.Event().wait()
        self._tell(failed=self._process_id, reason=reason)
        for thread in self._threads:
            thread.join(_GRACE)

    def await_news(self) -> None:
        """Gives the listening threads time to learn why a collective operation broke."""
        for thread in self._threads:
            thread.join(1.0)

    def _tell(self, **message: Any) -> None:
        for line in self._lines.values():
            line.send(**message)

    def _listen(self, other: int, line: _Line) -> None:
        message = line.receive(None)
        if message is not None and message.get("done"):
            return
        if not self._ending.acquire(blocking=False):
            return
        failed, reason = other, "it was killed or cannot be reached"
        if message is not None:
            failed, reason = message.get("failed", other), message.get("reason", reason)
        say = (
            f"jaxloss: process {failed} has failed, so process {self._process_id} ends: {reason}\n"
            "jaxloss: a run that had begun goes on with the same commands and --resume\n"
        )
        os.write(2, say.encode())
        self._tell(failed=failed, reason=reason)
        leave(FAILED)


def leave(code: int) -> None:
    """Ends this process without waiting at JAX's barrier for companions that will not come."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def roll_call(address: Address, processes: int, process_id: int, seconds: float) -> Group:
    """Waits until all processes are there.

    Args:
        address: of process 0.
        processes: how many there are to be.
        process_id: which of them this is, from 0.
        seconds: how long to wait.

    Raises:
        InvalidInputError: some do not come in time, the address cannot be used, or the processes
            disagree on how many they are or who is who.
    """
    deadline = time.monotonic() + seconds
    if process_id == 0:
        return Group(0, _call(address, processes, deadline, seconds))
    return Group(process_id, {0: _answer(address, processes, process_id, deadline, seconds)})


def _call(address: Address, processes: int, deadline: float, seconds: float) -> dict[int, _Line]:
    lines: dict[int, _Line] = {}
    with _listening(address) as server:
        try:
            while len(lines) < processes - 1:
                line = _next_line(server, deadline)
                if line is None:
                    missing = [str(i) for i in range(1, processes) if i not in lines]
                    raise InvalidInputError(
                        f"process {', '.join(missing)} of {processes} did not join within "
                        f"{seconds:g} s; start all with --coordinator {address} "
                        f"and --processes {processes}"
                    )
                hello = line.receive(_GRACE)
                if hello is None or not isinstance(hello.get("process"), int):
                    # Something else that tried the port.
                    line.close()
                    continue
                _admit(lines, line, hello, processes)
        except InvalidInputError as error:
            for line in lines.values():
                line.send(stop=str(error))
                line.close()
            raise
    for line in lines.values():
        line.send(go=True)
    return lines


def _admit(lines: dict[int, _Line], line: _Line, hello: Message, processes: int) -> None:
    number, others = hello["process"], hello.get("processes")
    problem = None
    if others != processes:
        problem = f"process {number} was started with --processes {others}, 0 with {processes}"
    elif number in lines:
        problem = f"two processes were started with --process-id {number}"
    if problem is not None:
        line.send(stop=problem)
        line.close()
        raise InvalidInputError(problem)
    lines[number] = line


def _answer(
    address: Address, processes: int, process_id: int, deadline: float, seconds: float
) -> _Line:
    reason = ""
    while time.monotonic() < deadline:
        try:
            left = max(deadline - time.monotonic(), _RETRY)
            line = _Line(socket.create_connection(address, timeout=left))
        except OSError as error:
            reason = f" ({error.strerror or error})"
            time.sleep(_RETRY)
            continue
        line.send(process=process_id, processes=processes)
        message = line.receive(max(deadline - time.monotonic(), 0) + _GRACE) or {}
        if message.get("go"):
            return line
        line.close()
        # Without a word: the port is still, or again, another program's.
        require("stop" not in message, str(message.get("stop")))
        reason = " (what listens there is not process 0 of this run)"
        time.sleep(_RETRY)
    raise InvalidInputError(
        f"process 0 did not answer at {address} within {seconds:g} s{reason}; is it running there, "
        "and does a firewall let its port through?"
    )


@contextlib.contextmanager
def _listening(address: Address) -> Iterator[socket.socket]:
    try:
        both = socket.has_dualstack_ipv6()
        family = socket.AF_INET6 if both else socket.AF_INET
        server = socket.create_server(("", address.port), family=family, dualstack_ipv6=both)
    except OSError as error:
        raise InvalidInputError(
            f"process 0 cannot listen on port {address.port}: {error.strerror}; "
            "choose another port for --coordinator"
        ) from error
    with server:
        yield server


def _next_line(server: socket.socket, deadline: float) -> _Line | None:
    left = deadline - time.monotonic()
    if left <= 0:
        return None
    server.settimeout(left)
    try:
        return _Line(server.accept()[0])
    except TimeoutError:
        return None
