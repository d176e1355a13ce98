"""An S3 of this machine: moto, reached over the loopback interface by the client of every process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
from fsspec import get_filesystem_class

BUCKET = "ringlake"

_SERVER = """
import sys
from moto.server import ThreadedMotoServer

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
server.start()
print("ready", *server.get_host_and_port(), flush=True)
sys.stdin.read()
server.stop()
"""
"""A process of its own: delta-rs holds the interpreter's lock while it waits for what a query reads."""


@contextmanager
def s3_server() -> Iterator[dict[str, str]]:
    """A server with one empty bucket; yields the variables by which botocore finds it.

    File systems that fsspec keeps are forgotten at both ends: they hold the address of another server.
    """
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdin
        assert server.stdout
        # The web server says things of its own before.
        line = next(line for line in server.stdout if line.startswith("ready "))
        _, host, port = line.split()
        variables = {
            "AWS_ENDPOINT_URL_S3": f"http://{host}:{port}",
            "AWS_ACCESS_KEY_ID": "nobody",
            "AWS_SECRET_ACCESS_KEY": "s3cret-of-the-test",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        client = boto3.client(
            "s3",
            endpoint_url=variables["AWS_ENDPOINT_URL_S3"],
            region_name="us-east-1",
            aws_access_key_id="nobody",
            aws_secret_access_key="s3cret-of-the-test",
        )
        client.create_bucket(Bucket=BUCKET)
        get_filesystem_class("s3").clear_instance_cache()
        yield variables
    finally:
        get_filesystem_class("s3").clear_instance_cache()
        if server.stdin:
            server.stdin.close()
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
