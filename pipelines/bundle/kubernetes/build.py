"""The folder of a bundle for Kubernetes: manifests, and the context of the image."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from importlib import metadata, resources
from pathlib import Path

from pipelines.bundle.build import build_bundle
from pipelines.bundle.documents import write_yaml
from pipelines.bundle.kubernetes.dockerfile import steps, text
from pipelines.bundle.kubernetes.manifests import APPLICATION, JOB, manifests
from pipelines.bundle.kubernetes.options import KubernetesOptions
from pipelines.bundle.kubernetes.rules import check
from pipelines.bundle.stages import read_work
from pipelines.errors import EnvironmentProblem

IMAGE = "image"
"""Folder with the Dockerfile and what it copies."""


def build_kubernetes(
    folder: Path,
    options: KubernetesOptions,
    say: Callable[[str], None],
    *,
    environment: bool = True,
    compress: bool = True,
) -> None:
    """Write the bundle; files of an earlier one are replaced.

    Args:
        folder: Where to.
        options: What is asked for.
        say: Takes a line of progress.
        environment: Also pack the Python environment, which takes minutes.
        compress: See `pipelines.bundle.environment.write_environment`.

    Raises:
        ConfigError: The run file, an option or a manifest is not as it has to be.
        EnvironmentProblem: The folder cannot be written, or Delta's jars are not there.
    """
    work = read_work(options.run, [f"train.num_ranks={options.num_ranks()}", *options.set])
    try:
        version = metadata.version("pyspark")
    except metadata.PackageNotFoundError as error:
        raise EnvironmentProblem(
            "the image follows PySpark's version, which is not installed here: pip install 'ringlake[spark]'"
        ) from error
    files = manifests(options, work.text, version)
    check(files)
    context = folder / IMAGE
    made = build_bundle(context, say, environment=environment, compress=compress)
    base = options.base_image or f"apache/spark:{version}-scala2.13-java17-ubuntu"
    packed = Path(made["environment"]).name if environment else ""
    try:
        script = resources.files("pipelines.bundle.kubernetes").joinpath("gpus.sh")
        (context / "gpus.sh").write_bytes(script.read_bytes())
        image = text(steps(base, Path(made["code"]).name, environment=packed))
        (context / "Dockerfile").write_text(image, encoding="utf-8")
        for name, documents in files.items():
            write_yaml(folder / name, *documents)
        if options.lake:
            (folder / "storage.yaml").unlink(missing_ok=True)
    except OSError as error:
        raise EnvironmentProblem(
            f"the bundle cannot be written to {folder} ({error.strerror or error}); give another --out"
        ) from error
    if not environment:
        say("environment: not packed; the base image must have one at /opt/ringlake/environment")
    say(
        f"bundle: {folder} has {', '.join(sorted(files))} and {IMAGE}/Dockerfile; {options.num_ranks()} ranks"
    )


def commands(folder: Path, options: KubernetesOptions) -> list[str]:
    """What to type next, a line each."""
    first = ["rbac", "configmap", "service", "networkpolicy", *([] if options.lake else ["storage"])]
    return [
        f"cd {shlex.quote(str(folder))}",
        f"docker build -t {options.image_name()} {IMAGE} && docker push {options.image_name()}",
        "kubectl apply " + " ".join(f"-f {name}.yaml" for name in first),
        f"kubectl apply -f {JOB}    # or, where the Spark operator is installed: -f {APPLICATION}",
        f"kubectl -n {options.namespace} logs -f job/{options.name}",
    ]
