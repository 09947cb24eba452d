"""TLS: boto3 and curl trust the server's authority, and are refused where either side does not. What other clients do over TLS stands in
`refusals`."""

import shutil
import signal
import ssl
import subprocess

import boto3
import botocore.config
import botocore.exceptions
import pytest

import server
from certificates import Certificates

pytestmark = pytest.mark.once


def client(kew, verify=True, cert=None):
    return boto3.client(
        "sqs", endpoint_url=kew.url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test",
        verify=str(kew.certificates.authority) if verify else None,
        config=botocore.config.Config(retries={"total_max_attempts": 1}, client_cert=cert),
    )


@pytest.fixture
def secure(tmp_path):
    started = []

    def start(*flags):
        started.append(server.Secure(tmp_path, *flags))
        return started[-1].start()

    yield start
    for kew in started:
        kew.close()


def round_trip(sqs):
    url = sqs.create_queue(QueueName="q")["QueueUrl"]
    assert url.startswith("https://localhost:")
    sqs.send_message(QueueUrl=url, MessageBody="over TLS")
    message = sqs.receive_message(QueueUrl=url)["Messages"][0]
    assert message["Body"] == "over TLS"
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def test_boto3_works_with_the_authority_and_refuses_without(secure):
    kew = secure()
    round_trip(client(kew))
    with pytest.raises(botocore.exceptions.SSLError):
        client(kew, verify=False).list_queues()


def test_callers_show_their_certificates(secure, tmp_path):
    kew = secure("--tls-client-ca", str(tmp_path / "authority.pem"))
    round_trip(client(kew, cert=tuple(map(str, kew.certificates.sign("caller")))))
    (tmp_path / "elsewhere").mkdir()
    stranger = Certificates(tmp_path / "elsewhere").sign("stranger")
    for cert in (None, tuple(map(str, stranger))):
        with pytest.raises((botocore.exceptions.SSLError, botocore.exceptions.ConnectionError)):
            client(kew, cert=cert).list_queues()


def test_a_new_certificate_is_taken_while_a_client_goes_on(secure):
    kew = secure()
    sqs = client(kew)
    sqs.list_queues()
    before = ssl.get_server_certificate(("localhost", kew.port))
    new, key = kew.certificates.sign("new")
    shutil.copy(key, kew.key)
    shutil.copy(new, kew.certificate)
    kew.process.send_signal(signal.SIGHUP)
    while ssl.get_server_certificate(("localhost", kew.port)) == before:
        sqs.list_queues()
    sqs.list_queues()


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize("protocol", ["--http2", "--http1.1"])
def test_a_head_request_gets_a_head_alone(secure, protocol):
    kew = secure()
    told = subprocess.run(
        ["curl", "--silent", "--show-error", "--head", protocol, "--cacert", str(kew.certificates.authority), f"https://localhost:{kew.port}/health"],
        capture_output=True, text=True, timeout=30, check=True,
    ).stdout.lower()
    assert " 200" in told and int(told.split("content-length: ")[1].split()[0]) > 0


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize("protocol, version", [("--http2", "2"), ("--http1.1", "1.1")])
def test_curl_speaks_both_protocols(secure, protocol, version):
    kew = secure()
    done = subprocess.run(
        ["curl", "--silent", "--show-error", protocol, "--cacert", str(kew.certificates.authority), "--write-out",
         "\n%{http_version} %{http_code}", "--data", "Action=CreateQueue&QueueName=q&Version=2012-11-05", kew.url],
        capture_output=True, text=True, timeout=60,
    )
    assert done.returncode == 0, done.stderr
    body, outcome = done.stdout.rsplit("\n", 1)
    assert outcome == f"{version} 200"
    assert f"<QueueUrl>https://localhost:{kew.port}/000000000000/q</QueueUrl>" in body
