"""Horovod: one wheel for each combination of versions, built once, cached, installed and tried."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.setup import cache
from pipelines.setup.errors import SetupError
from pipelines.setup.horovod_build import (
    BUILD_TOOLS,
    CUDA_ARCHITECTURES,
    CUDA_TOOLS,
    NCCL_PACKAGE,
    SETUPTOOLS,
    build_wheel,
    cuda_release,
)
from pipelines.setup.progress import Progress, last_lines
from pipelines.setup.target import Target
from pipelines.setup.venv import Installer

KIND = "horovod"
VERSION = "0.28.1"
# Raise it when a change of the recipe makes another wheel out of the same versions.
RECIPE = 2
BACKEND_VARIABLE = "RINGLAKE_HOROVOD"
PARTS = {"nccl": "NCCL and Gloo", "gloo": "Gloo only"}
VERIFY_TIMEOUT_S = 180

# One rank needs no rendezvous: what this shows is that the libraries load and that Gloo works.
_VERIFY = """
import json, torch
import horovod.torch as hvd
print("loaded", flush=True)
hvd.init()
total = hvd.allreduce(torch.arange(4.0), op=hvd.Sum)
assert total.tolist() == [0.0, 1.0, 2.0, 3.0], total
print(json.dumps({"size": hvd.size(), "gloo": bool(hvd.gloo_built()), "nccl": int(hvd.nccl_built())}))
hvd.shutdown()
"""


def backend(target: Target) -> str:
    """Return what the wheel is built with: "nccl" (NCCL and Gloo) or "gloo" (Gloo only).

    Raises:
        SetupError: $RINGLAKE_HOROVOD asks for something unknown or impossible here.
    """
    wish = os.environ.get(BACKEND_VARIABLE, "auto")
    if wish not in ("auto", "nccl", "gloo"):
        raise SetupError(f'{BACKEND_VARIABLE}="{wish}" is not one of auto, nccl, gloo: unset it or pick one')
    fits = (
        sys.platform == "linux"
        and platform.machine() == "x86_64"
        and target.version(NCCL_PACKAGE) is not None
        and cuda_release(target) in CUDA_TOOLS
    )
    if wish == "nccl" and not fits:
        raise SetupError(
            f"{BACKEND_VARIABLE}=nccl needs Linux on x86_64 with {NCCL_PACKAGE} and "
            f"CUDA {' or '.join(CUDA_TOOLS)}; this is {sys.platform} on {platform.machine()} "
            f"with CUDA {cuda_release(target) or 'absent'}: unset {BACKEND_VARIABLE}"
        )
    return "nccl" if fits and wish != "gloo" else "gloo"


def inputs(target: Target) -> dict[str, str]:
    """Return all that the wheel depends on; a change of any makes another cache entry.

    Raises:
        SetupError: torch is not installed in the environment.
    """
    torch = target.version("torch")
    if torch is None:
        raise SetupError(f"torch is not installed in {target.prefix}: install ringlake's dependencies first")
    chosen = backend(target)
    libc = "-".join(platform.libc_ver()) if sys.platform == "linux" else platform.mac_ver()[0].split(".")[0]
    found = {
        "horovod": VERSION,
        "recipe": str(RECIPE),
        "backend": chosen,
        "python": sys.implementation.cache_tag,
        "platform": f"{sys.platform}-{platform.machine()}-{libc}",
        "torch": torch,
        "setuptools": target.version("setuptools") or SETUPTOOLS,
        "tools": " ".join(BUILD_TOOLS),
    }
    if chosen == "nccl":
        release = cuda_release(target)
        found |= {
            "nccl": target.version(NCCL_PACKAGE) or "",
            "cuda": " ".join(CUDA_TOOLS[release]),
            "architectures": CUDA_ARCHITECTURES,
        }
    return found


def entry(target: Target) -> str:
    """Return the name of the cache entry that fits this environment."""
    return cache.entry_name(f"{VERSION}-{backend(target)}", inputs(target))


def ensure(target: Target, installer: Installer, roots: Sequence[Path], progress: Progress) -> str:
    """Make Horovod work in the environment.

    Args:
        target: The environment.
        installer: Installs into it.
        roots: Cache roots in order of preference.
        progress: Where to say what happens.

    Returns:
        The name of the wheel's cache entry.

    Raises:
        SetupError: The build failed, or a freshly built wheel does not work.
    """
    name = entry(target)
    log = _log(installer.logs, name)
    build = _builder(target, log, progress)
    made = cache.obtain(roots, KIND, name, build, progress)
    # A fresh wheel may replace one of the same name that did not work.
    stays = not made.fresh and _installed_from(target, made)
    if not stays:
        _install(made, installer, progress)
    trouble = verify(target)
    if trouble and not trouble.loads and stays:
        progress.line(f"the installed Horovod does not load ({trouble.line}): installing it again")
        _install(made, installer, progress)
        trouble = verify(target)
    if trouble and not trouble.loads and not made.fresh:
        progress.line(f"the cached Horovod wheel does not load here ({trouble.line}): building it again")
        made = cache.obtain(roots, KIND, name, build, progress, refuse=made)
        _install(made, installer, progress)
        trouble = verify(target)
    if trouble and trouble.loads:
        raise SetupError(
            f"Horovod loads, but one rank cannot all-reduce on this machine:\n{trouble.output}\n"
            f"Gloo needs the loopback interface; if that is up, remove {made.path} and set up again"
        )
    if trouble:
        cache.discard(made)
        raise SetupError(f"Horovod was built but does not load:\n{trouble.output}\nIts build's log: {log}")
    progress.line(f"Horovod {VERSION} works ({PARTS[backend(target)]}, one-rank all-reduce)")
    return name


def put_wheel(target: Target, folder: Path, roots: Sequence[Path], logs: Path, progress: Progress) -> Path:
    """Put the wheel that fits this environment into a folder, building it unless the cache has it.

    Args:
        target: The environment against whose torch it is compiled; nothing is installed into it.
        folder: Where to, such as a folder of a volume that a cluster's machines share.
        roots: Cache roots in order of preference.
        logs: Directory for the build's output.
        progress: Where to say what happens.

    Returns:
        The wheel's path in the folder.

    Raises:
        SetupError: The build failed, or the folder cannot be written.
    """
    name = entry(target)
    made = cache.obtain(roots, KIND, name, _builder(target, _log(logs, name), progress), progress)
    wheel = _wheel(made)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copyfile(wheel, folder / wheel.name))
    except OSError as error:
        raise SetupError(
            f"{wheel.name} cannot be written to {folder} ({error.strerror or error}): name another folder"
        ) from error


@dataclass(frozen=True)
class Trouble:
    """Why Horovod does not work.

    Attributes:
        output: The end of what the trial printed, and how it ended.
        loads: Whether its libraries load; if so, building them again would change nothing.
    """

    output: str
    loads: bool

    @property
    def line(self) -> str:
        """The last line, which for a Python error is the one that names it."""
        return self.output.strip().splitlines()[-1].strip()


def verify(target: Target) -> Trouble | None:
    """Import Horovod, start one rank and all-reduce, in a process of its own.

    Returns:
        None when it works.
    """
    # A rank's settings, inherited from a launcher, would make it look for other ranks.
    env = {name: value for name, value in os.environ.items() if not name.startswith("HOROVOD_")}
    env.pop("PYTHONPATH", None)
    # The loopback interface serves where this machine's own name does not resolve.
    loopback = "lo0" if sys.platform == "darwin" else "lo"
    env |= {"HOROVOD_CONTROLLER": "gloo", "HOROVOD_CPU_OPERATIONS": "gloo", "HOROVOD_GLOO_IFACE": loopback}
    with tempfile.TemporaryDirectory(prefix="ringlake-verify-") as scratch:
        said = Path(scratch) / "out"
        with said.open("wb") as out:
            try:
                done = subprocess.run(
                    [str(target.python), "-c", _VERIFY],
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                    env=env,
                    cwd=scratch,
                    timeout=VERIFY_TIMEOUT_S,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                silence = f"no answer within {VERIFY_TIMEOUT_S} s"
                return Trouble(f"{last_lines(said)}\n{silence}", loads="loaded" in last_lines(said))
        output = last_lines(said)
    loads = "loaded" in output.splitlines()
    if done.returncode:
        how = signal.strsignal(-done.returncode) if done.returncode < 0 else f"status {done.returncode}"
        # A Python error names itself in the last line; a signal leaves none.
        return Trouble(output if done.returncode > 0 and output else f"{output}\nended by: {how}", loads)
    answer = json.loads(next(line for line in reversed(output.splitlines()) if line.startswith("{")))
    if not answer["gloo"] or (backend(target) == "nccl" and not answer["nccl"]):
        return Trouble(f"built without what was asked for ({backend(target)}): {answer}", loads=False)
    return None


def _log(logs: Path, name: str) -> Path:
    return logs / f"horovod-{name}.log"


def _builder(target: Target, log: Path, progress: Progress) -> Callable[[Path], None]:
    def build(out: Path) -> None:
        chosen = backend(target)
        progress.line(f"building Horovod {VERSION} with {PARTS[chosen]} once: some minutes (log: {log})")
        with tempfile.TemporaryDirectory(prefix="ringlake-horovod-") as work:
            build_wheel(target, VERSION, chosen, out=out, work=Path(work), log=log, progress=progress)

    return build


def _wheel(made: cache.Entry) -> Path:
    wheels = [file for file in made.files if file.suffix == ".whl"]
    if len(wheels) != 1:
        raise SetupError(
            f"{made.path} has {len(wheels)} wheels, not 1: remove that directory and set up again"
        )
    return wheels[0]


def _install(made: cache.Entry, installer: Installer, progress: Progress) -> None:
    wheel = _wheel(made)
    progress.line(f"installing {wheel.name}")
    installer.install(["--no-deps", "--reinstall", str(wheel)], label="installing Horovod")


def _installed_from(target: Target, made: cache.Entry) -> bool:
    """Say whether the installed Horovod came out of this very cache entry, as installers record."""
    installed = target.distribution("horovod")
    origin = installed.read_text("direct_url.json") if installed is not None else None
    whole = target.locate("horovod", "horovod/torch/mpi_ops.py") is not None
    return whole and origin is not None and made.path.name in origin
