"""Checks that each example of the OpenAPI document fits its schema."""

import json
import sys

from openapi_schema_validator import OAS31Validator


def described(value, place=""):
    """All values with a schema and examples, and where they are."""
    if isinstance(value, list):
        for n, entry in enumerate(value):
            yield from described(entry, f"{place}/{n}")
    if not isinstance(value, dict):
        return
    for name, example in value.get("examples", {}).items() if "schema" in value else ():
        yield f"{place}/examples/{name}", value["schema"], example["value"]
    if "schema" in value and "example" in value:
        yield f"{place}/example", value["schema"], value["example"]
    for name, member in value.items():
        yield from described(member, f"{place}/{name}")


def main(path):
    with open(path, encoding="utf-8") as file:
        document = json.load(file)
    problems, count = [], 0
    for place, schema, example in described(document["paths"]):
        # References are resolved within the schema, so it needs what they refer to.
        schema = {**schema, "components": document["components"]}
        for error in OAS31Validator(schema).iter_errors(example):
            problems.append(f"{place}{error.json_path.removeprefix('$')}: {error.message}")
        count += 1
    if count < 100:
        problems.append(f"only {count} examples were found")
    print("\n".join(problems) or f"{count} examples fit their schemas")
    return len(problems)


if __name__ == "__main__":
    sys.exit(min(main(sys.argv[1]), 1))
