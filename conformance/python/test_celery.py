"""A real Celery worker, with kombu's SQS transport."""

import os
import subprocess
import sys

import pytest

from queues import Queue, client

pytestmark = [pytest.mark.celery, pytest.mark.once, pytest.mark.timeout(120)]


class Worker:
    """A worker process, and what its tasks told."""

    def __init__(self, env, results):
        self.results = results
        self.process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "celery_app", "worker", "--pool", "threads", "--concurrency", "4",
             "--without-gossip", "--without-mingle", "--without-heartbeat", "--loglevel", "INFO"],
            cwd=os.path.dirname(__file__), env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )
        self.log = []

    def read_until(self, count, word="succeeded"):
        """Reads the worker's log until so many of its lines hold the word."""
        seen = 0
        for line in self.process.stdout:
            self.log.append(line)
            seen += word in line
            if seen == count:
                return
        raise AssertionError("the worker ended:\n" + "".join(self.log))

    def stop(self):
        self.process.terminate()
        self.log.append(self.process.communicate(timeout=60)[0])
        return self.process.returncode


@pytest.fixture
def celery(kew, account, tmp_path, monkeypatch):
    results = tmp_path / "results"
    results.touch()
    env = {
        "KEW_URL_FOR_CELERY": kew.url, "KEW_ACCOUNT": account, "KEW_RESULTS": str(results),
        "AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    sys.modules.pop("celery_app", None)
    import celery_app

    worker = Worker({**os.environ}, results)
    yield celery_app, worker
    worker.process.kill()
    worker.process.wait()


def test_a_celery_worker_runs_tasks_retries_them_and_keeps_their_time(kew, account, celery):
    app, worker = celery
    for number in range(20):
        app.add.delay(number, number)
    app.flaky.delay()
    app.later.apply_async(args=["now"], countdown=2)
    (app.chained.s(1) | app.chained.s()).delay()
    # Twenty sums, the flaky task's third try, the later one, and both links of the chain.
    worker.read_until(20 + 1 + 1 + 2)
    lines = worker.results.read_text().split("\n")[:-1]
    assert sorted(line for line in lines if line.startswith("add")) == sorted(f"add {2 * n}" for n in range(20))
    assert [line for line in lines if line.startswith("flaky")] == ["flaky 0", "flaky 1", "flaky 2"]
    assert [line for line in lines if line.startswith("chained")] == ["chained 1", "chained 2"]
    assert "later now" in lines
    assert worker.stop() == 0, "".join(worker.log)
    sqs = client(kew.url, account)
    (url,) = sqs.list_queues(QueueNamePrefix="celery-work")["QueueUrls"]
    assert Queue(sqs, url).counts() == (0, 0, 0), "every task was acknowledged"
