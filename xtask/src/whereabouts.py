# Where a deployed stack is and who asks, by AWS's ordinary chain: profile, variables, SSO, instance role.
import json
import os
import sys

import botocore.session

asked = json.loads(sys.argv[1])
session = botocore.session.Session(profile=asked["profile"])
region = asked["region"] or os.environ.get("AWS_REGION") or session.get_config_variable("region")
if not region:
    sys.exit("no region: give one with --region, or set AWS_REGION")
credentials = session.get_credentials()
if not credentials:
    sys.exit("no AWS credentials are to be had: give a profile with --profile, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
found = {}
if asked["stack_name"]:
    client = session.create_client("cloudformation", region_name=region, endpoint_url=asked["endpoint_url"])
    stacks = client.describe_stacks(StackName=asked["stack_name"])["Stacks"]
    found = {output["OutputKey"]: output["OutputValue"] for output in stacks[0].get("Outputs", [])}
frozen = credentials.get_frozen_credentials()
print(
    json.dumps(
        {
            "region": region,
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "session_token": frozen.token,
            "outputs": found,
        }
    )
)
