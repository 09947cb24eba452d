"""What goes wrong with a request between a client's hands and the wire: hooks into botocore, for boto3, and for the AWS CLI, which
loads this as a plugin (`[plugins]` in its configuration) and is otherwise as people have it."""

import base64
import datetime
import json
import os
import pathlib
import socket

import signing


class Recorded(Exception):
    """The request was written down, and not sent."""


def awscli_initialize(events):
    """The AWS CLI calls this as it starts."""
    play(os.environ["TRICK"], events)


def play(trick, events):
    """Plays a trick, a name and perhaps its arguments (`late:16`), on the requests of these events."""
    name, *arguments = trick.split(":")
    TRICKS[name](events, *arguments)


def nothing(events):
    """Sends what was signed."""


def late(events, minutes):
    """Signs by a clock that is so many minutes late."""
    moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=int(minutes))
    clock = signing.clock(moment)
    events.register("before-sign", lambda **_: clock.__enter__())
    events.register("before-send", lambda **_: clock.__exit__())


def elsewhere(events):
    """Finds any endpoint below `localhost` on this machine, as most machines do, and those that run tests not always."""
    real = socket.getaddrinfo

    def found(host, *arguments, **more):
        return real("127.0.0.1" if str(host).endswith(".localhost") else host, *arguments, **more)

    socket.getaddrinfo = found


def body(events):
    """Changes the body once it is signed."""

    def change(request, **_):
        signed = request.body if isinstance(request.body, bytes) else request.body.encode()
        assert b"hello" in signed
        request.body = signed.replace(b"hello", b"hullo")

    events.register("before-send", change)


def header(events):
    """Changes a header once it is signed."""

    def change(request, **_):
        value = request.headers["Content-Type"]
        request.headers["Content-Type"] = (value if isinstance(value, str) else value.decode()) + "; x=y"

    events.register("before-send", change)


def record(events, path, minutes):
    """Writes down the request as it would be sent, signed so many minutes ago, and does not send it."""
    late(events, minutes)

    def save(request, **_):
        headers = {name: value if isinstance(value, str) else value.decode() for name, value in request.headers.items()}
        body = request.body if isinstance(request.body, bytes) else (request.body or "").encode()
        said = {"method": request.method, "url": request.url, "headers": headers, "body": base64.b64encode(body).decode()}
        pathlib.Path(path).write_text(json.dumps(said))
        raise Recorded

    events.register("before-send", save)


def replay(events, path):
    """Sends the request that was written down in place of its own."""

    def again(request, **_):
        said = json.loads(pathlib.Path(path).read_text())
        request.method, request.url, request.body = said["method"], said["url"], base64.b64decode(said["body"])
        for name in list(request.headers):
            del request.headers[name]
        request.headers.update(said["headers"])

    events.register("before-send", again)


TRICKS = {
    trick.__name__: trick for trick in [nothing, late, elsewhere, body, header, record, replay]
}
