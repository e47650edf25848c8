"""The libFuzzer harnesses: every fuzz_*.c beside this file, over every C file of the data plane; and decoders.py.

`python tests/fuzz/fuzzers.py SECONDS` runs each for so long and keeps what it learns in build/fuzz.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import decoders

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
NATIVE = ROOT / "lispfast" / "_native"
CORPUS = HERE / "corpus"
HARNESSES = sorted(path.stem for path in HERE.glob("fuzz_*.c"))
FLAGS = ["-std=gnu11", "-g", "-O1", "-pthread", "-fno-sanitize-recover=all", "-iquote", str(NATIVE)]
FLAGS += ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-Wstrict-prototypes", "-Werror"]
FLAGS += ["-Wno-gnu-variable-sized-type-not-at-end"]  # a union with a struct cmsghdr for its alignment, inside a struct
SANITIZERS = "address,undefined"
LONGEST = 16384  # bytes of an input: a frame of some packets; more costs time and finds nothing else
SLOWEST = 10  # seconds one input may take before it is a finding


def why_not(directory: Path) -> str | None:
    """Why no harness can be built here; None if they can."""
    if shutil.which("clang") is None:
        return "no clang (Debian: clang)"
    probe = directory / "probe.c"
    probe.write_text("int LLVMFuzzerTestOneInput(void *data, unsigned long size) { return data && size ? 0 : 0; }\n")
    command = ["clang", f"-fsanitize=fuzzer,{SANITIZERS}", "-o", str(directory / "probe"), str(probe)]
    if subprocess.run(command, capture_output=True).returncode != 0:
        return "clang without its fuzzer runtime (Debian: libclang-rt-14-dev)"
    return None


def compile_c(*arguments: object) -> None:
    """Call clang; RuntimeError with what it said where that was anything."""
    done = subprocess.run(["clang", *FLAGS, *map(str, arguments)], capture_output=True, text=True)
    if (done.returncode, done.stderr) != (0, ""):
        raise RuntimeError(f"clang {arguments[-1]}: {done.returncode}\n{done.stderr}")


def compile_plane(directory: Path) -> list[Path]:
    """The data plane, ready to be linked into every harness."""

    def compile_one(source: Path) -> Path:
        target = directory / f"{source.stem}.o"
        compile_c(f"-fsanitize=fuzzer-no-link,{SANITIZERS}", "-c", "-o", target, source)
        return target

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return list(pool.map(compile_one, sorted(NATIVE.glob("*.c"))))


def compile_harness(name: str, plane: list[Path], directory: Path) -> Path:
    """The program."""
    program = directory / name
    compile_c(f"-fsanitize=fuzzer,{SANITIZERS}", "-o", program, *plane, HERE / f"{name}.c")
    return program


def command(program: Path, learned: Path, *arguments: str) -> list[str]:
    """Run over the kept corpus; new inputs and findings go to `learned`."""
    learned.mkdir(parents=True, exist_ok=True)
    kept = CORPUS / program.name.removeprefix("fuzz_")
    limits = [
        f"-max_len={LONGEST}",
        f"-timeout={SLOWEST}",
        "-rss_limit_mb=2048",
        f"-artifact_prefix={learned}/finding-",
    ]
    return [str(program), *limits, *arguments, str(learned), *([str(kept)] if kept.is_dir() else [])]


def python_command(target: str, learned: Path, corpus: Path, *arguments: str) -> list[str]:
    """atheris over a target of decoders.py; new inputs and findings go to `learned`."""
    learned.mkdir(parents=True, exist_ok=True)
    limits = [f"-max_len={decoders.LONGEST}", f"-timeout={SLOWEST}", "-rss_limit_mb=2048"]
    places = [f"-artifact_prefix={learned}/finding-", str(learned), str(corpus)]
    return [sys.executable, str(HERE / "decoders.py"), target, *limits, *arguments, *places]


def write_corpus(target: str, directory: Path) -> Path:
    """What a target of decoders.py begins with, a file each."""
    directory.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(decoders.corpus(target)):
        (directory / f"{number:03}").write_bytes(data)
    return directory


def main() -> int:
    """Run each harness for the seconds given, 60 by default; how many had a finding."""
    if len(sys.argv) > 2 or not all(argument.isdecimal() for argument in sys.argv[1:]):
        sys.exit("fuzz: how many seconds for each harness, as a number")
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 60
    directory = ROOT / "build" / "fuzz"
    directory.mkdir(parents=True, exist_ok=True)
    if reason := why_not(directory):
        sys.exit(f"fuzz: {reason}")
    findings = 0
    plane = compile_plane(directory)
    for name in HARNESSES:
        program = compile_harness(name, plane, directory)
        learned = directory / name.removeprefix("fuzz_")
        arguments = command(program, learned, f"-max_total_time={seconds}", "-print_final_stats=1")
        findings += run(name, arguments, learned, seconds)
    if not decoders.HAS_ATHERIS:
        print("no atheris for this platform: the Python decoders are fuzzed by ./run test alone")
    for name in decoders.TARGETS if decoders.HAS_ATHERIS else ():
        learned = directory / name
        corpus = write_corpus(name, directory / f"{name}-corpus")
        limits = (f"-max_total_time={seconds}", "-print_final_stats=1")
        findings += run(name, python_command(name, learned, corpus, *limits), learned, seconds)
    return min(findings, 1)


def run(name: str, arguments: list[str], learned: Path, seconds: int) -> int:
    """Run one, tell what came of it; 1 for a finding."""
    log = ROOT / "build" / "fuzz" / f"{name}.log"
    print(f"{name}: {seconds} s ...", flush=True)
    with log.open("w") as out:
        status = subprocess.run(arguments, stdout=out, stderr=subprocess.STDOUT).returncode
    lines = log.read_text(errors="replace").splitlines()
    runs = next((line.split()[-1] for line in lines if "number_of_executed_units" in line), "?")
    print(f"{name}: {runs} inputs, {sum(1 for _ in learned.glob('*'))} kept in {learned}")
    if status == 0:
        return 0
    print("\n".join(lines[-40:]), f"{name}: a finding; all of it in {log}", sep="\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
