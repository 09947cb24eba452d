"""A Kew server as a process of its own: started, stopped, killed and restarted by the tests."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import tempfile
import urllib.error
import urllib.request

from certificates import Certificates

ROOT = pathlib.Path(__file__).resolve().parents[2]
BINARY = pathlib.Path(os.environ.get("KEW_BIN", ROOT / "target" / "release" / "kew"))

# The variables that say how to test are no settings of a server.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("KEW_")}

# A server that runs already (another implementation, say); tests that need a process or its clock are skipped then.
FOREIGN = os.environ.get("KEW_URL")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Kew:
    """One server on a free port, with its data in a folder of its own."""

    def __init__(self, data=None, flags=(), env=None, config=None, port=None):
        self.folder = None if data else tempfile.TemporaryDirectory(prefix="kew-")
        self.data = pathlib.Path(data or self.folder.name) / "data"
        self.log = self.data.parent / "kew.log"
        self.port = port or free_port()
        self.url = FOREIGN or f"http://127.0.0.1:{self.port}"
        self.flags = list(flags)
        self.env = dict(env or {})
        if config is not None:
            path = self.data.parent / "kew.toml"
            path.write_text(config)
            self.flags += ["--config", str(path)]
        self.process = None

    def command(self):
        return [
            str(BINARY), "serve", "--listen", f"127.0.0.1:{self.port}", "--data", str(self.data), *self.flags
        ]

    def start(self):
        """Starts the process and returns when it answers."""
        if FOREIGN:
            return self
        self.spawn()
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=30).close()
                return self
            except urllib.error.HTTPError:
                return self
            except OSError:
                self.wait_for_exit_briefly()

    def spawn(self):
        """Starts the process and returns at once."""
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.command(), stdin=subprocess.DEVNULL, stdout=log, stderr=log, env={**ENVIRONMENT, **self.env}
            )

    def wait_for_exit_briefly(self):
        try:
            code = self.process.wait(timeout=0.01)
        except subprocess.TimeoutExpired:
            return
        raise RuntimeError(f"kew ended with {code}:\n{self.log.read_text()}")

    def stop(self):
        """Asks the process to end, and returns its exit code."""
        return self.end(signal.SIGTERM)

    def kill(self):
        """Ends the process as a power switch would, as far as a process can tell."""
        return self.end(signal.SIGKILL)

    def end(self, how):
        if self.process is None:
            return None
        self.process.send_signal(how)
        code = self.process.wait(timeout=30)
        self.process = None
        return code

    def examine(self):
        """What the doctor says of the data while no server uses them: his exit code, and his words."""
        done = subprocess.run([str(BINARY), "doctor", str(self.data)], capture_output=True, text=True, timeout=300)
        return done.returncode, done.stdout + done.stderr

    def restart(self, how=signal.SIGTERM):
        self.end(how)
        return self.start()

    def close(self):
        self.kill()
        if self.folder:
            self.folder.cleanup()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    # The test endpoints.

    def advance(self, seconds):
        """Moves the server's clock forward."""
        return self.endpoint("POST", f"/_kew/clock?advance_ms={int(seconds * 1000)}")

    def now_ms(self):
        return self.endpoint("GET", "/_kew/clock")["now_ms"]

    def reset(self):
        """Forgets every queue and message."""
        return self.endpoint("POST", "/_kew/reset")

    def endpoint(self, method, path):
        request = urllib.request.Request(self.url + path, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def page(self, path):
        """The text of a page."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return answer.read().decode()

    def metric(self, name):
        """The sum of a metric's values."""
        lines = [line.rsplit(" ", 1) for line in self.page("/metrics").splitlines() if line.startswith(name)]
        return sum(float(value) for _, value in lines)


class Secure(Kew):
    """A server that speaks TLS, its certificate made in `folder`, where its data lies, too."""

    def __init__(self, folder, *flags, **options):
        self.certificates = Certificates(folder)
        self.certificate, self.key = self.certificates.sign("server")
        flags = ["--tls-certificate", str(self.certificate), "--tls-key", str(self.key), *flags]
        super().__init__(data=folder, flags=flags, **options)
        self.url = f"https://localhost:{self.port}"

    def start(self):
        self.spawn()
        while f"listens on https://127.0.0.1:{self.port}" not in self.log.read_text():
            self.wait_for_exit_briefly()
        return self
