"""The peer of `ingest` in Python: it verifies a Standard Webhooks signature, parses one CloudEvent,
and queues it before it answers. It checks less than `ingest` does, so it is not slower than it must be.
"""

import base64
import hashlib
import hmac
import json
import os
import time

import boto3

TOLERANCE = 300
SECRET_SECONDS = 300

SECRETS = boto3.client("secretsmanager")
SQS = boto3.client("sqs")
documents = {}


def document(source):
    """The source's document, read at most every five minutes."""
    known = documents.get(source)
    if known is None or time.monotonic() - known[0] > SECRET_SECONDS:
        name = os.environ["SOURCE_SECRET_PREFIX"] + source
        text = SECRETS.get_secret_value(SecretId=name)["SecretString"]
        known = documents[source] = (time.monotonic(), json.loads(text))
    return known[1]


def is_signed(headers, body, secrets):
    sent_at = headers.get("webhook-timestamp", "")
    if not sent_at.isdigit() or abs(time.time() - int(sent_at)) > TOLERANCE:
        return False
    signed = f"{headers.get('webhook-id', '')}.{sent_at}.".encode() + body
    for secret in secrets:
        key = base64.b64decode(secret["value"].removeprefix("whsec_"))
        tag = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        for signature in headers.get("webhook-signature", "").split(" "):
            if hmac.compare_digest(signature, f"v1,{tag}"):
                return True
    return False


def handler(request, _context):
    body = request.get("body", "")
    body = base64.b64decode(body) if request.get("isBase64Encoded") else body.encode()
    source = request["pathParameters"]["source"]
    known = document(source)
    if not known["enabled"] or not is_signed(request["headers"], body, known["secrets"]):
        return {"statusCode": 401, "body": ""}
    try:
        event = json.loads(body)
        data = event["data"]
        message = {
            "partner": known["partner"],
            "source": source,
            "id": event["id"],
            "type": event["type"],
            "occurred_at": event.get("time"),
            "tenant": data["tenant"].lower(),
            "alert_id": data["alert_id"],
            "kind": data["kind"],
            "severity": data.get("severity", "high"),
            "title": data.get("title", "")[:100],
            "description": data.get("description", ""),
            "device": data.get("device"),
            "link": data.get("link"),
        }
    except (KeyError, ValueError) as error:
        return {"statusCode": 400, "body": json.dumps({"error": str(error)})}
    entry = {"Id": "0", "MessageBody": json.dumps(message), "MessageGroupId": known["partner"]}
    answer = SQS.send_message_batch(QueueUrl=os.environ["QUEUE_URL"], Entries=[entry])
    if answer.get("Failed"):
        return {"statusCode": 503, "body": ""}
    print(json.dumps({"level": "INFO", "message": "events queued", "source": source, "events": 1}))
    return {"statusCode": 202, "body": json.dumps({"events": 1})}
