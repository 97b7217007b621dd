"""A receiver that verifies with the standardwebhooks library: `receive.py 8080 whsec_...`.

Each request becomes one line of output. An event that the library accepts is answered with 204, and
an action with a note.
"""

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

from standardwebhooks import Webhook, WebhookVerificationError

PORT = int(sys.argv[1])
WEBHOOK = Webhook(sys.argv[2])


def is_accepted(body, headers):
    try:
        WEBHOOK.verify(body, headers)
    except WebhookVerificationError:
        return False
    return True


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        headers = dict(self.headers)
        accepted = is_accepted(body, headers)
        event = json.loads(body)
        line = {
            "accepted": accepted,
            "accepts_changed_body": is_accepted(body + b" ", headers),
            "id": self.headers["webhook-id"],
            "event": event,
        }
        print(json.dumps(line), flush=True)
        if accepted and event["type"] == "ticket.action":
            self.answer(json.dumps({"note": f"Done: {event['data']['action']}"}).encode())
            return
        self.send_response(204 if accepted else 401)
        self.end_headers()

    def answer(self, body):
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format, *args):
        pass


HTTPServer(("127.0.0.1", PORT), Receiver).serve_forever()
