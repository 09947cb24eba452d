"""HTTP without an SDK, for what no SDK would send."""

import dataclasses
import http.client
import json
import socket
import urllib.parse
import xml.etree.ElementTree as ET

NAMESPACE = "{http://queue.amazonaws.com/doc/2012-11-05/}"
JSON = "application/x-amz-json-1.0"
FORM = "application/x-www-form-urlencoded"


def signed(account, region="us-east-1"):
    """The header that names the caller."""
    scope = f"{account}/20260101/{region}/sqs/aws4_request"
    return f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"


@dataclasses.dataclass
class Answer:
    status: int
    headers: dict
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    @property
    def xml(self):
        """The document, its names without AWS's namespace."""
        root = ET.fromstring(self.body)
        for element in root.iter():
            assert element.tag.startswith(NAMESPACE), f"{element.tag} lacks AWS's namespace"
            element.tag = element.tag.removeprefix(NAMESPACE)
        return root

    def fault(self):
        """Name or code, message and type, in either dialect."""
        if self.headers["content-type"].startswith("text/xml"):
            error = self.xml.find("Error")
            return error.findtext("Code"), error.findtext("Message")
        told = self.json
        return told["__type"], told.get("message", told.get("Message"))


class Connection:
    """One connection that stays open, so that a test sees whether the server keeps it."""

    def __init__(self, kew, account="000000000000", region="us-east-1"):
        self.host = urllib.parse.urlsplit(kew.url).netloc
        self.http = http.client.HTTPConnection(self.host, timeout=30)
        self.headers = {"Authorization": signed(account, region)}

    def begin(self, method="POST", path="/", body=None, headers=None):
        """Sends one request, whose answer nobody reads yet. A header of None is left out."""
        headers = {name: value for name, value in {**self.headers, **(headers or {})}.items() if value is not None}
        self.http.request(method, path, body=body, headers=headers)

    def ask(self, method="POST", path="/", body=None, headers=None):
        """One request and its answer."""
        self.begin(method, path, body, headers)
        reply = self.http.getresponse()
        body = reply.read()
        return Answer(reply.status, {name.lower(): value for name, value in reply.getheaders()}, body)

    def json(self, operation, body, headers=None, path="/"):
        return self.ask("POST", path, *self.in_json(operation, body, headers))

    def in_json(self, operation, body, headers=None):
        """The body and the headers of a request."""
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        if isinstance(body, str):
            body = body.encode()
        target = {"X-Amz-Target": f"AmazonSQS.{operation}", "Content-Type": JSON}
        return body, {**target, **(headers or {})}

    def query(self, action, path="/", headers=None, method="POST", version="2012-11-05", **members):
        """A form with dotted names, given with __ for the dots."""
        form = {name.replace("__", "."): value for name, value in members.items()}
        if action is not None:
            form["Action"] = action
        if version is not None:
            form["Version"] = version
        text = urllib.parse.urlencode(form)
        if method == "GET":
            return self.ask("GET", f"{path}?{text}", headers=headers)
        return self.ask("POST", path, text.encode(), {"Content-Type": FORM, **(headers or {})})

    def close(self):
        self.http.close()


def talk(kew, data, end=False, timeout=30):
    """Sends bytes as they are and returns whatever comes back until the server closes or says no more."""
    with dial(kew, timeout) as connection:
        try:
            connection.sendall(data)
            if end:
                connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        return everything(connection)


def dial(kew, timeout=30):
    """A bare connection."""
    host, port = urllib.parse.urlsplit(kew.url).netloc.split(":")
    return socket.create_connection((host, int(port)), timeout=timeout)


def everything(connection):
    """Whatever comes until the server closes or says no more."""
    received = b""
    try:
        while part := connection.recv(65536):
            received += part
    except OSError:
        pass
    return received
