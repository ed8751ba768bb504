"""Whether a wheel and an sdist hold what they should, and nothing else: ``contents.py dist``."""

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGED = ("sk_mtl/", "tests/", "docs/", "benchmarks/")
FILES = ("README.md", "LICENSE", "CITATION.cff", "pyproject.toml", ".gitignore")

tracked = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
).stdout.split()
(wheel,) = Path(sys.argv[1]).glob("*.whl")
(sdist,) = Path(sys.argv[1]).glob("*.tar.gz")

with zipfile.ZipFile(wheel) as archive:
    in_wheel = {name for name in archive.namelist() if ".dist-info/" not in name}
with tarfile.open(sdist) as archive:
    in_sdist = {name.partition("/")[2] for name in archive.getnames()}

problems = []
for kind, there, wanted in (
    ("wheel", in_wheel, {name for name in tracked if name.startswith("sk_mtl/")}),
    (
        "sdist",
        in_sdist,
        {name for name in tracked if name.startswith(PACKAGED) or name in FILES} | {"PKG-INFO"},
    ),
):
    problems += [f"{kind}: {name} is missing" for name in sorted(wanted - there)]
    problems += [f"{kind}: {name} does not belong there" for name in sorted(there - wanted)]
    print(f"{kind}: {len(there)} files")
print("\n".join(problems))
sys.exit(bool(problems))
