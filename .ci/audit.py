"""What is installed, as a list that other tools read (SBOM), and which known vulnerabilities it has.

    python .ci/audit.py ENVIRONMENT/bin/python OUT

Runs in an environment of its own, so that the list has the product's packages alone. OUT gets `sbom.cdx.json` (CycloneDX) and, where the
package index tells advisories, `audit.json` (pip-audit). An index that tells none is said: silence is no all-clear.
Exit code 1: a package has a vulnerability that a newer version mends.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

_PROBED = 3


def main(python: str, out: Path) -> int:
    """Write both files; how many vulnerabilities can be mended decides the exit code."""
    out.mkdir(parents=True, exist_ok=True)
    sbom = out / "sbom.cdx.json"
    subprocess.run(
        [_program("cyclonedx-py"), "environment", python, "--of", "JSON", "-o", str(sbom)],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    parts = json.loads(sbom.read_text(encoding="utf-8"))["components"]
    bare = sum(not part.get("licenses") for part in parts)
    print(f"audit: {len(parts)} packages in {sbom}; of {bare} the licence stands in their files alone")
    pins = sorted({f"{part['name']}=={part['version']}" for part in parts if part["name"] != "inloop"})
    if not any("skip_reason" not in each for each in _audited(pins[:_PROBED])):
        print(
            "audit: NOT audited: the package index here tells no advisories. Run `make audit` where pypi.org itself is reached."
        )
        return 0
    found = _audited(pins)
    (out / "audit.json").write_text(json.dumps(found, indent=1), encoding="utf-8")
    untold = [each["name"] for each in found if "skip_reason" in each]
    bad = [(each, flaw) for each in found for flaw in each.get("vulns", ())]
    for each, flaw in bad:
        print(f"audit: {each['name']} {each['version']}: {flaw['id']}, mended in {', '.join(flaw['fix_versions']) or 'no version yet'}")  # fmt: skip
    print(
        f"audit: {len(found) - len(untold)} packages audited, {len(bad)} vulnerabilities; nothing is told of {len(untold)}"
    )
    return int(any(flaw["fix_versions"] for _, flaw in bad))


def _audited(pins: list[str]) -> list[dict[str, Any]]:
    """What pip-audit says of each pinned package: its `vulns`, or a `skip_reason`; all are skipped where nobody answers."""
    with tempfile.TemporaryDirectory() as folder:
        pinned = Path(folder) / "pins.txt"
        pinned.write_text("\n".join(pins), encoding="utf-8")
        done = subprocess.run(
            [_program("pip-audit"), "-r", str(pinned), "--no-deps", "--disable-pip", "-f", "json", "--progress-spinner", "off", "--timeout", "15"],
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    try:
        return list(json.loads(done.stdout)["dependencies"])
    except ValueError:
        reason = (done.stderr.strip().splitlines() or ["no answer"])[-1]
        return [{"name": pin, "skip_reason": reason} for pin in pins]


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2])))
