"""Holds CycloneDX lists against the standard's JSON schema, by OWASP's library for Python, and against a
lock file: every crate in a list is locked, with the same sum.

    sbom.py Cargo.lock LIST...
"""

import json
import sys
import tomllib
from cyclonedx.model.bom import Bom
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

with open(sys.argv[1], "rb") as file:
    packages = tomllib.load(file)["package"]
locked = {(one["name"], one["version"]): one.get("checksum") for one in packages}
for path in sys.argv[2:]:
    with open(path, encoding="utf-8") as file:
        text = file.read()
    error = JsonStrictValidator(SchemaVersion.V1_5).validate_str(text)
    assert error is None, f"{path}: {error}"
    bom = Bom.from_json(json.loads(text))
    bom.validate()
    crates = 0
    for one in bom.components:
        if one.bom_ref.value.startswith("pkg:cargo/"):
            sums = {str(hash.alg.value): hash.content for hash in one.hashes}
            expected = locked[(one.name, one.version)]
            assert sums.get("SHA-256") == expected, f"{path}: {one.name}: {sums}, locked {expected}"
            assert one.licenses, f"{path}: {one.name} has no licence"
            crates += 1
    print(f"{bom.metadata.component.name}: {crates} crates")
