"""Signs the requests of schemathesis, and points most of them at what exists.

Without a valid signature and known ids, every answer would be a 401 or a 404, and the code behind the
checks would never run. Which requests are changed depends only on the request, so a run with the same
seed sends the same.
"""

import base64
import hashlib
import hmac
import json
import os
import time
import zlib
from urllib.parse import unquote, urlsplit

import schemathesis
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from requests.auth import AuthBase

with open(os.environ["TICKETBRIDGE_STACK"], encoding="utf-8") as file:
    STACK = json.load(file)

WEBHOOK = "/v1/events/"
STATUS = "/v1/tickets/"
# The keys of alerts that the webhook accepted.
KEYS = []


def chance(value, of):
    """True for about one value of this many."""
    text = json.dumps(value, sort_keys=True, default=repr)
    return zlib.crc32(text.encode("utf-8", "surrogatepass")) % of == 0


@schemathesis.hook
def before_call(context, case, kwargs):
    """Replaces invented ids by known ones, except in one request of four."""
    known = {"partner": STACK["partner"], "preset": "generic"}
    if case.path.startswith(WEBHOOK):
        known["source"] = STACK["webhook"]["source"]
        name_known_tenant(case.body)
    else:
        known["source"] = STACK["source"]
        name_known_ids(case.body, known)
    if KEYS:
        known["key"] = KEYS[0]
    parameters = case.path_parameters or {}
    for name, value in known.items():
        if name in parameters and not chance(parameters[name], 4):
            parameters[name] = value


@schemathesis.hook
def after_call(context, case, response):
    """Keeps the keys of accepted alerts, so that the status of an alert is read too."""
    if case.path.startswith(WEBHOOK) and response.status_code == 202:
        KEYS.extend(alert["alert_key"] for alert in response.json().get("alerts", []))


def name_known_ids(body, known):
    """Names the known partner and source, and drops the version, which is nearly always wrong."""
    if not isinstance(body, dict):
        return
    for name in ("partner", "source"):
        if isinstance(body.get(name), str) and not chance(body, 4):
            body[name] = known[name]
    if "version" in body and not chance(body, 4):
        del body["version"]


def name_known_tenant(body):
    """Makes most events valid: a mapped tenant, and a kind that exists."""
    for event in body if isinstance(body, list) else [body]:
        data = event.get("data") if isinstance(event, dict) else None
        if not isinstance(data, dict) or chance(data, 4):
            continue
        if isinstance(data.get("tenant"), str):
            data["tenant"] = STACK["tenant"]
        if isinstance(data.get("kind"), str):
            data["kind"] = "disk"
        if isinstance(data.get("active"), list):
            # A complete list would resolve the tenant's other alerts.
            data["part"], data["parts"] = 1, 2


class Signature(AuthBase):
    """Signs a request as it is sent: by AWS's signature, or by that of Standard Webhooks."""

    def __call__(self, request):
        if WEBHOOK in request.url:
            self.sign_as_source(request, request.body or b"")
        elif STATUS in request.url:
            # Such a request has no body, so the key is signed.
            self.sign_as_source(request, unquote(urlsplit(request.url).path.removeprefix(STATUS)))
        else:
            self.sign_operator(request)
        return request

    def sign_operator(self, request):
        keys = Credentials(STACK["operator"]["access_key_id"], STACK["operator"]["secret_access_key"])
        signed = AWSRequest(method=request.method, url=request.url, data=request.body)
        SigV4Auth(keys, "execute-api", STACK["region"]).add_auth(signed)
        for name in ("Authorization", "X-Amz-Date"):
            request.headers[name] = signed.headers[name]

    def sign_as_source(self, request, content):
        content = content.encode() if isinstance(content, str) else content
        # Some requests stay as they were generated, mostly with a wrong signature or none.
        if zlib.crc32(content) % 8 == 0:
            return
        now = str(int(time.time()))
        name = f"msg_{zlib.crc32(content)}"
        key = base64.b64decode(STACK["webhook"]["secret"].removeprefix("whsec_"))
        signed = hmac.new(key, f"{name}.{now}.".encode() + content, hashlib.sha256).digest()
        request.headers["webhook-id"] = name
        request.headers["webhook-timestamp"] = now
        request.headers["webhook-signature"] = "v1," + base64.b64encode(signed).decode()


schemathesis.auth.set_from_requests(Signature())
