"""How long the reader waits: ``python tests/benchmarks/start.py``.

Prints, in seconds: the second start of the launcher until JupyterLab answers /api/status (aim:
under 10), the launcher's own share of it, and `import labsupport` less the bare interpreter's start
(aim: under 0.1). Run it on Linux or macOS, with the course's own Python.
"""

import http.client
import os
import signal
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
STARTS, IMPORTS = 3, 15


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start_once() -> float:
    """Seconds from the launcher's start to JupyterLab's answer; RuntimeError without one."""
    port = free_port()
    command = [sys.executable, "-m", "labsupport", "--no-browser", "--port", str(port)]
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        while process.poll() is None and time.perf_counter() - began < 120:
            try:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                connection.request("GET", "/api/status")
                connection.getresponse()  # 403 without the token: it answers
                return time.perf_counter() - began
            except OSError:
                time.sleep(0.02)
            finally:
                connection.close()
        raise RuntimeError("JupyterLab did not answer")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def run_seconds(code: str) -> float:
    """Seconds a fresh interpreter takes for this code."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, env=os.environ, check=True)
    return time.perf_counter() - began


def main() -> None:
    subprocess.run([sys.executable, "-m", "labsupport", "doctor"], cwd=ROOT, check=True)
    starts = [start_once() for _ in range(STARTS)]
    bare = statistics.median(run_seconds("pass") for _ in range(IMPORTS))
    imported = statistics.median(run_seconds("import labsupport") for _ in range(IMPORTS))
    launcher = statistics.median(
        run_seconds(
            f"from labsupport import launcher_setup as s; s.ready_environment({str(ROOT)!r})"
        )
        for _ in range(5)
    )
    print()
    print(f"start to a responding JupyterLab  {statistics.median(starts):6.2f} s  (aim: < 10)")
    print(f"  of which finding the environment{launcher - bare:7.2f} s")
    print(f"import labsupport                 {imported - bare:6.3f} s  (aim: < 0.1)")


if __name__ == "__main__":
    main()
