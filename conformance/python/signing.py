"""Requests signed by hand with botocore's own signers, so that they can be wrong in one place at a time."""

import datetime
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree as ET

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

FORM = "application/x-www-form-urlencoded; charset=utf-8"


def signed(url, key, action, minutes_ago=0, expires=None, service="sqs", region="us-east-1", **members):
    """A Query request: a form with its signature in a header, or a presigned URL if it `expires` after so many seconds."""
    form = urllib.parse.urlencode({"Action": action, "Version": "2012-11-05", **members})
    credentials = Credentials(*key)
    moment = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(minutes=minutes_ago)
    if expires is None:
        request = AWSRequest("POST", url, headers={"Content-Type": FORM}, data=form.encode())
        signer = botocore.auth.SigV4Auth(credentials, service, region)
    else:
        request = AWSRequest("GET", f"{url}?{form}")
        signer = botocore.auth.SigV4QueryAuth(credentials, service, region, expires=expires)
    with clock(moment):
        signer.add_auth(request)
    return request.prepare()


class clock:
    """What time botocore thinks it is."""

    def __init__(self, moment):
        self.moment = moment

    def __enter__(self):
        if hasattr(botocore.auth, "get_current_datetime"):
            self.name, now = "get_current_datetime", lambda remove_tzinfo=True: self.moment.replace(tzinfo=None)
        else:
            moment = self.moment.replace(tzinfo=None)
            fixed = type("fixed", (datetime.datetime,), {"utcnow": classmethod(lambda cls: moment)})
            self.name, now = "datetime", type("module", (), {"datetime": fixed})
        self.real = getattr(botocore.auth, self.name)
        setattr(botocore.auth, self.name, now)

    def __exit__(self, *_):
        setattr(botocore.auth, self.name, self.real)


def send(request):
    """Status, code and message of the answer to a prepared request; no code where it succeeds."""
    body = request.body or None
    asked = urllib.request.Request(request.url, data=body, method=request.method, headers=dict(request.headers))
    try:
        with urllib.request.urlopen(asked, timeout=30) as answer:
            return answer.status, None, answer.read().decode()
    except urllib.error.HTTPError as error:
        root = ET.fromstring(error.read())
        found = {element.tag.rsplit("}", 1)[-1]: element.text for element in root.iter()}
        return error.code, found["Code"], found["Message"] or ""
