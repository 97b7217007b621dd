"""Makes AWS calls, one after another, with the credentials and the endpoint of the environment.

The calls are the first argument: a JSON list of {"service", "operation", "parameters"}. One line is
printed for each: {"answer": ...}, or {"code", "message"} of the error that the service returned. A
call that never reaches the service (wrong parameters, no connection) makes this program fail: it
must not count as a denial.
"""

import json
import sys

import botocore.session
from botocore.config import Config
from botocore.exceptions import ClientError

session = botocore.session.get_session()
settings = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
clients = {}
for call in json.loads(sys.argv[1]):
    service = call["service"]
    if service not in clients:
        clients[service] = session.create_client(service, config=settings)
    try:
        answer = clients[service]._make_api_call(call["operation"], call["parameters"])
        result = {"answer": answer}
    except ClientError as error:
        result = {"code": error.response["Error"]["Code"], "message": error.response["Error"]["Message"]}
    print(json.dumps(result, default=str))
