"""The C harnesses beside this file, compiled with sanitizers and run with a fixed number of inputs.

LISPFAST_FUZZ multiplies the inputs; LISPFAST_FUZZ_SEED chooses others.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
NATIVE = HERE.parents[1] / "lispfast" / "_native"
SANITIZERS = {"asan": "-fsanitize=address,undefined", "tsan": "-fsanitize=thread"}
FLAGS = ["-std=gnu11", "-g", "-O1", "-pthread", "-fno-sanitize-recover=all", "-iquote", str(NATIVE)]
FLAGS += ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Werror"]
TIMES = int(os.environ.get("LISPFAST_FUZZ", "1"))
SEED = os.environ.get("LISPFAST_FUZZ_SEED", "1")


def compile_harness(name: str, sanitizer: str, directory: Path, *wrapped: str) -> Path:
    """The harness over every C file of the data plane; it stands in for the `wrapped` functions of the C library."""
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    target = directory / f"{name}-{sanitizer}"
    sources = [HERE / f"{name}.c", *sorted(NATIVE.glob("*.c"))]
    command = [compiler, *FLAGS, SANITIZERS[sanitizer], "-o", str(target), *map(str, sources)]
    command += [f"-Wl,--wrap={function}" for function in wrapped]
    done = subprocess.run(command, capture_output=True, text=True)
    if "cannot find" in done.stderr and "san" in done.stderr:
        pytest.skip(f"this compiler has no {sanitizer}")
    assert (done.returncode, done.stderr) == (0, "")
    return target


def run(program: Path, *arguments: object) -> str:
    """The harness's own line; a finding of the sanitizer fails."""
    command = [str(program), *map(str, arguments)]
    if program.name.endswith("tsan") and (setarch := shutil.which("setarch")):
        command = [setarch, "--addr-no-randomize", *command]  # TSan does not bear all of the kernel's random addresses
    done = subprocess.run(command, capture_output=True, text=True, timeout=100 * TIMES)
    assert done.returncode == 0, f"{program.name} {arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.stderr == ""
    return done.stdout


def two_free_ports() -> int:
    """A UDP port that is free with the next one, in both families."""
    for _ in range(100):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as first:
            first.bind(("::", 0))
            port = int(first.getsockname()[1])
            with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as second:
                try:
                    second.bind(("::", port + 1))
                except (OSError, OverflowError):
                    continue
                return port
    raise AssertionError("no two free ports")


def test_packets(tmp_path: Path) -> None:
    program = compile_harness("packets", "asan", tmp_path)
    assert "out" in run(program, SEED, 200_000 * TIMES)


def test_a_kernel_that_refuses_what_is_sent(tmp_path: Path) -> None:
    wrapped = ("sendmsg", "sendmmsg", "recvmsg", "getsockopt", "setsockopt", "poll")
    program = compile_harness("sending", "asan", tmp_path, *wrapped)
    assert "arrived" in run(program, SEED, 2_000 * TIMES)


def test_a_host_that_gives_out_at_the_start(tmp_path: Path) -> None:
    wrapped = ["socket", "bind", "setsockopt", "epoll_create1", "epoll_ctl", "eventfd", "mmap"]
    wrapped += ["malloc", "calloc", "posix_memalign", "pthread_create", "read"]
    program = compile_harness("starting", "asan", tmp_path, *wrapped)
    assert "fatal" in run(program, two_free_ports())


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_the_table_under_a_writer_and_two_readers(tmp_path: Path, sanitizer: str) -> None:
    program = compile_harness("table", sanitizer, tmp_path)
    assert "looks" in run(program, 5_000 * TIMES)


def test_a_transaction_that_is_refused(tmp_path: Path) -> None:
    program = compile_harness("refusals", "asan", tmp_path, "malloc", "calloc", "realloc", "mmap")
    assert "allocations failed" in run(program)


def test_how_long_numbers_counters_and_sets_live(tmp_path: Path) -> None:
    program = compile_harness("lives", "asan", tmp_path)
    assert "all lives" in run(program)


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_two_engines_back_to_back(tmp_path: Path, sanitizer: str) -> None:
    program = compile_harness("engine", sanitizer, tmp_path)
    assert "packets" in run(program, two_free_ports(), 20_000 * TIMES)


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_frames_of_many_segments_between_two_engines(tmp_path: Path, sanitizer: str) -> None:
    program = compile_harness("frames", sanitizer, tmp_path)
    assert "merged" in run(program, two_free_ports(), 20_000_000 * TIMES)


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_tunnels_inside_of_tunnels_and_packets_that_leave_natively(tmp_path: Path, sanitizer: str) -> None:
    program = compile_harness("nested", sanitizer, tmp_path)
    native = ("native",) if os.geteuid() == 0 else ()  # raw sockets: on loopback
    assert "taken apart" in run(program, two_free_ports(), 3_000 * TIMES, *native)


def test_the_ring_and_the_peers_between_two_threads(tmp_path: Path) -> None:
    program = compile_harness("ring", "tsan", tmp_path)
    assert "punts" in run(program, 50_000 * TIMES)
