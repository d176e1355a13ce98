"""Builds one Horovod wheel for CPU and GPU machines, with no system-wide CUDA.

Horovod publishes its source only. The CUDA compiler, the headers and NCCL all come as Python
packages (torch brings most of them), so the build needs a C++ compiler and make, and no GPU.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path

from pipelines.setup.errors import SetupError
from pipelines.setup.progress import Progress
from pipelines.setup.target import Target

BUILD_TOOLS = ("cmake==4.4.4", "wheel==0.48.0", "packaging", "cffi")
# For an environment that has none: the build runs in the environment itself, which may not be touched.
SETUPTOOLS = "setuptools==69.5.1"
# The compiler's parts must be of the CUDA release that torch's own CUDA packages are of.
CUDA_TOOLS: Mapping[str, tuple[str, ...]] = {
    "13.0": (
        "nvidia-cuda-nvcc==13.0.88",
        "nvidia-nvvm==13.0.88",
        "nvidia-cuda-crt==13.0.88",
        "nvidia-cuda-cccl==13.0.85",
    )
}
# sm_75 is the oldest that CUDA 13 compiles for; the last one is also kept as PTX, for newer GPUs.
CUDA_ARCHITECTURES = "75,80,90"
NCCL_PACKAGE = "nvidia-nccl-cu13"
CUDA_RUNTIME_PACKAGE = "nvidia-cuda-runtime"

MENDED = "PROCESS_SETS_KEEP_THE_INTERFACE"
"""Name in the module `horovod` of a wheel that `mend` has seen; `training.launch` looks for it."""

_COMPILER_WRAPPER = """#!/bin/sh
# torch's headers need C++20 while Horovod asks for C++14; the last -std wins. nvcc's own calls
# of the host compiler (for .cu files) must keep the standard that nvcc chose.
for argument in "$@"; do
    case "$argument" in
        *.cc) exec {compiler} "$@" -std=c++20 ;;
    esac
done
exec {compiler} "$@"
"""


def build_wheel(
    target: Target, version: str, backend: str, *, out: Path, work: Path, log: Path, progress: Progress
) -> None:
    """Build the wheel into `out`.

    Args:
        target: The environment whose torch the wheel is built against.
        version: Horovod's version.
        backend: "nccl" (NCCL and Gloo) or "gloo" (Gloo only).
        out: Directory that receives the wheel.
        work: Empty scratch directory, about 1 GB with the CUDA compiler.
        log: File that receives the whole build's output.
        progress: Where to show that the build lives.

    Raises:
        CommandError: A step of the build failed; the message has the end of the log.
    """
    tools = work / "tools"
    pip = [str(target.python), "-m", "pip", "--disable-pip-version-check"]
    install = [*pip, "install", "--target", str(tools), "--no-warn-script-location"]
    needed = [*BUILD_TOOLS] if target.version("setuptools") else [*BUILD_TOOLS, SETUPTOOLS]
    progress.run([*install, *needed], label="fetching the build tools for Horovod", log=log)
    if backend == "nccl":
        # Without --no-deps the compiler would bring the newest CUDA runtime's headers along.
        wanted = CUDA_TOOLS[cuda_release(target)]
        progress.run([*install, "--no-deps", *wanted], label="fetching the CUDA compiler", log=log)
    environment = build_environment(target, backend, tools, work)
    options = ["--no-build-isolation", "--no-deps", "--no-cache-dir"]
    progress.run(
        [*pip, "download", *options, "--no-binary", "horovod", "--dest", str(work), f"horovod=={version}"],
        label="fetching Horovod's source",
        log=log,
        env=environment,
        cwd=work,
    )
    source = unpack(work / f"horovod-{version}.tar.gz", work)
    mend(source)
    progress.run(
        [*pip, "wheel", "--verbose", *options, "--wheel-dir", str(out), str(source)],
        label="compiling Horovod",
        log=log,
        env=environment,
        cwd=work,
        telling=r"^\[ *\d+%\]",
    )


def unpack(archive: Path, into: Path) -> Path:
    """Unpack a source distribution; returns its one folder."""
    with tarfile.open(archive) as packed:
        packed.extractall(into, filter="data")
    return into / archive.name.removesuffix(".tar.gz")


def mend(source: Path) -> None:
    """Make the ranks of a process set meet on the interface that they were told.

    Horovod 0.28.1 starts Gloo a second time for its process sets, the one of all ranks included, and forgets
    HOROVOD_GLOO_IFACE there: Gloo then takes the address that the host's own name leads to. Where that is
    loopback (Debian's 127.0.1.1) or a network that the others cannot reach, the first collective ends with
    "connect: Network is unreachable", or waits for a rank that is not there.

    Args:
        source: Horovod's source; changed in place.

    Raises:
        SetupError: It is not as this change knows it.
    """
    path = source / "horovod" / "common" / "gloo" / "gloo_context.cc"
    text = path.read_text(encoding="utf-8")
    begin = text.find("void GlooContext::InitializeForProcessSet(")
    before, after = "device_attr.iface = gloo_iface_;", "device_attr.iface = global_context.gloo_iface_;"
    if begin < 0 or text.count(before, begin) != 1:
        raise SetupError(
            f"{path.name} of Horovod is not as expected: no single {before!r} in InitializeForProcessSet; "
            f"see `mend` in pipelines/setup/horovod_build.py"
        )
    path.write_text(text[:begin] + text[begin:].replace(before, after), encoding="utf-8")
    with (source / "horovod" / "__init__.py").open("a", encoding="utf-8") as module:
        module.write(f"\n{MENDED} = True\n")


def cuda_release(target: Target) -> str:
    """Return the CUDA release that torch was installed with, as "13.0"; "" without one."""
    version = target.version(CUDA_RUNTIME_PACKAGE)
    return "" if version is None else ".".join(version.split(".")[:2])


def build_environment(target: Target, backend: str, tools: Path, work: Path) -> dict[str, str]:
    """Return the environment of the build, free of the caller's own HOROVOD_ settings.

    Args:
        target: The environment to build against.
        backend: "nccl" or "gloo".
        tools: Where the build tools were installed.
        work: Scratch directory for the CUDA root, the NCCL root and the compiler wrapper.
    """
    env = {name: value for name, value in os.environ.items() if not name.startswith(("HOROVOD_", "CUDA"))}
    # make's own variables, inherited from `make setup`, would disturb the make that runs below.
    for name in ("PYTHONPATH", "PYTHONHOME", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "CMAKE_GENERATOR"):
        env.pop(name, None)
    env |= {
        "PYTHONPATH": str(tools),
        # What an interrupted build leaves goes with its scratch directory.
        "TMPDIR": str(work),
        "HOROVOD_CMAKE": str(tools / "cmake" / "data" / "bin" / "cmake"),
        "CMAKE_POLICY_VERSION_MINIMUM": "3.5",
        "MAKEFLAGS": f"-j{os.cpu_count() or 1}",
        "HOROVOD_WITH_PYTORCH": "1",
        "HOROVOD_WITHOUT_TENSORFLOW": "1",
        "HOROVOD_WITHOUT_MXNET": "1",
        "HOROVOD_WITHOUT_MPI": "1",
        "HOROVOD_WITH_GLOO": "1",
        "CXX": str(_write_compiler(work, env.get("CXX", "g++"))),
    }
    if sys.platform == "darwin":
        env["HOROVOD_CMAKE"] = str(tools / "cmake" / "data" / "CMake.app" / "Contents" / "bin" / "cmake")
    if backend == "nccl":
        cuda = _make_cuda_root(target, tools, work / "cuda")
        env |= {
            "CUDA_HOME": str(cuda),
            "HOROVOD_CUDA_HOME": str(cuda),
            "CUDAToolkit_ROOT": str(cuda),
            "CUDACXX": str(cuda / "bin" / "nvcc"),
            "HOROVOD_NCCL_HOME": str(_make_nccl_root(target, work / "nccl")),
            "HOROVOD_NCCL_LINK": "SHARED",
            "HOROVOD_GPU_OPERATIONS": "NCCL",
            "HOROVOD_BUILD_CUDA_CC_LIST": CUDA_ARCHITECTURES,
        }
    return env


def _write_compiler(work: Path, compiler: str) -> Path:
    """Write the compiler wrapper; `compiler` may hold arguments, as $CXX often does."""
    words = shlex.split(compiler)
    found = shutil.which(words[0])
    if found is None:
        raise SetupError(f"the C++ compiler {words[0]} is not on PATH: install it or set CXX to another")
    wrapper = work / "c++"
    wrapper.write_text(_COMPILER_WRAPPER.format(compiler=shlex.join([found, *words[1:]])))
    wrapper.chmod(0o755)
    return wrapper


def _make_cuda_root(target: Target, tools: Path, root: Path) -> Path:
    """Lay out a CUDA toolkit from the packages' parts.

    The compiler finds its own parts relative to its real path, so it is copied, not linked.
    """
    runtime = _need(target, CUDA_RUNTIME_PACKAGE, "nvidia/cu13")
    for part in ("bin", "include", "nvvm"):
        for source in (runtime / part, tools / "nvidia" / "cu13" / part):
            if source.is_dir():
                shutil.copytree(source, root / part, dirs_exist_ok=True)
    for program in [*(root / "bin").iterdir(), *(root / "nvvm" / "bin").iterdir()]:
        if program.is_file():
            program.chmod(0o755)
    libraries = root / "lib64"
    libraries.mkdir()
    for folder in (runtime / "lib", tools / "nvidia" / "cu13" / "lib"):
        for library in sorted(folder.glob("lib*")):
            (libraries / library.name).symlink_to(library)
    (libraries / "libcudart.so").symlink_to(runtime / "lib" / "libcudart.so.13")
    return root


def _make_nccl_root(target: Target, root: Path) -> Path:
    """Lay out NCCL as its own installer would: headers, and the library under its link name."""
    nccl = _need(target, NCCL_PACKAGE, "nvidia/nccl")
    (root / "lib").mkdir(parents=True)
    (root / "include").symlink_to(nccl / "include")
    (root / "lib" / "libnccl.so").symlink_to(nccl / "lib" / "libnccl.so.2")
    return root


def _need(target: Target, package: str, path: str) -> Path:
    place = target.locate(package, path)
    if place is None:
        raise SetupError(
            f"{package} has no {path} in {target.prefix}: remove that directory and set up again"
        )
    return place
