"""The application that test_celery.py runs in a worker process. Its results are lines of a file."""

import os
import urllib.parse

from celery import Celery

URL = urllib.parse.urlsplit(os.environ.get("KEW_URL_FOR_CELERY", "http://127.0.0.1:4566"))

app = Celery("kew", broker=f"sqs://{os.environ.get('KEW_ACCOUNT', 'test')}:secret@{URL.netloc}//")
app.conf.update(
    broker_transport_options={
        "is_secure": False,
        "region": "us-east-1",
        "queue_name_prefix": "celery-",
        "polling_interval": 0,
        "wait_time_seconds": 2,
        "visibility_timeout": 60,
    },
    broker_connection_retry_on_startup=True,
    task_default_queue="work",
    task_acks_late=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    task_ignore_result=True,
)


def tell(line):
    with open(os.environ["KEW_RESULTS"], "a") as results:
        results.write(line + "\n")


@app.task
def add(a, b):
    tell(f"add {a + b}")


@app.task(bind=True, max_retries=3)
def flaky(self):
    tell(f"flaky {self.request.retries}")
    if self.request.retries < 2:
        raise self.retry(countdown=0)


@app.task
def later(text):
    tell(f"later {text}")


@app.task
def chained(number):
    tell(f"chained {number}")
    return number + 1
