"""A receiver that verifies with the standardwebhooks library: `receive.py 8080 whsec_...`.

Each request becomes one line of output. An event that the library accepts is answered with 204.
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
        line = {
            "accepted": accepted,
            "accepts_changed_body": is_accepted(body + b" ", headers),
            "id": self.headers["webhook-id"],
            "event": json.loads(body),
        }
        print(json.dumps(line), flush=True)
        self.send_response(204 if accepted else 401)
        self.end_headers()

    def log_message(self, format, *args):
        pass


HTTPServer(("127.0.0.1", PORT), Receiver).serve_forever()
