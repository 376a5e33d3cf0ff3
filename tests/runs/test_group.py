"""The roll call, among threads that stand for processes."""

import socket
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
from run_helpers import free_port

from jaxloss import InvalidInputError
from jaxloss.runs.group import Address, Group, roll_call


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as pool:
        yield pool


def called(
    threads: ThreadPoolExecutor, who: list[tuple[int, int]], seconds: float = 20.0
) -> list[Future[Group]]:
    """Calls processes, each given by its number and how many it expects."""
    address = Address("localhost", free_port())
    return [
        threads.submit(roll_call, address, processes, process_id, seconds)
        for process_id, processes in who
    ]


def test_all_begin_and_end_together(threads: ThreadPoolExecutor) -> None:
    groups = [future.result() for future in called(threads, [(2, 3), (0, 3), (1, 3)])]
    for group in groups:
        group.watch()
    endings = [threads.submit(group.finish) for group in groups[:2]]
    assert not any(ending.done() for ending in endings)
    groups[2].finish()
    for ending in endings:
        ending.result()


def test_who_is_missing_is_named_everywhere(threads: ThreadPoolExecutor) -> None:
    for future in called(threads, [(0, 4), (2, 4)], seconds=1.0):
        with pytest.raises(InvalidInputError, match="process 1, 3 of 4 did not join within 1 s"):
            future.result()


@pytest.mark.parametrize(
    ("who", "expected"),
    [
        ([(0, 3), (1, 3), (1, 3)], "two processes were started with --process-id 1"),
        ([(0, 3), (1, 2)], "process 1 was started with --processes 2, 0 with 3"),
    ],
)
def test_a_wrong_number_ends_all(
    threads: ThreadPoolExecutor, who: list[tuple[int, int]], expected: str
) -> None:
    for future in called(threads, who):
        with pytest.raises(InvalidInputError, match=expected):
            future.result()


def test_nobody_there() -> None:
    with pytest.raises(InvalidInputError, match=r"did not answer at localhost:\d+ within 0.5 s"):
        roll_call(Address("localhost", free_port()), 2, 1, 0.5)


def test_a_port_of_another_program() -> None:
    with socket.create_server(("", 0)) as server:
        address = Address("localhost", server.getsockname()[1])
        with pytest.raises(InvalidInputError, match="choose another port"):
            roll_call(address, 2, 0, 1.0)


def test_strangers_are_not_counted(threads: ThreadPoolExecutor) -> None:
    address = Address("localhost", free_port())
    first = threads.submit(roll_call, address, 2, 0, 20.0)
    for noise in (b"GET / HTTP/1.1\r\n", b"[]\n", b'{"process": "1"}\n', b"\xff\n", b""):
        while True:
            try:
                with socket.create_connection(address) as stranger:
                    stranger.sendall(noise)
                break
            except ConnectionRefusedError:
                assert not first.done()
    second = threads.submit(roll_call, address, 2, 1, 20.0)
    groups = [first.result(), second.result()]
    for group in groups:
        group.watch()
    for ending in [threads.submit(group.finish) for group in groups]:
        ending.result()
