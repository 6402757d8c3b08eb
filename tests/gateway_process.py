"""Starts and stops the gateway (the binary that TOLLGATE_BIN names), for the tests of both folders."""

import contextlib
import os
import pathlib
import shutil
import socket
import subprocess
import time
import urllib.request


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(folder: pathlib.Path, configuration: pathlib.Path, environment: dict[str, str]):
    """A gateway of `configuration` in `folder`; gives the file with what it prints."""
    shutil.copy(configuration, folder / "gateway.toml")
    telemetry = free_port()
    environment = os.environ | environment | {"TELEMETRY_PORT": str(telemetry)}
    output = folder / "output"
    with output.open("wb") as log:
        process = subprocess.Popen([os.environ["TOLLGATE_BIN"]], cwd=folder, env=environment, stdout=log, stderr=log)
    try:
        wait_until_ready(f"http://127.0.0.1:{telemetry}/readyz", process, output)
        yield output
        process.terminate()
        assert process.wait(timeout=30) == 0, output.read_text()
    finally:
        process.kill()
        process.wait()


def wait_until_ready(url: str, process: subprocess.Popen, output: pathlib.Path) -> None:
    end = time.monotonic() + 20
    while time.monotonic() < end:
        assert process.poll() is None, output.read_text()
        try:
            with urllib.request.urlopen(url, timeout=1):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"not ready: {output.read_text()}")
