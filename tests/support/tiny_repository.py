"""A repository of three commits, and a row of SWE-bench about the second."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

BUGGY = "def double(n):\n    if n < 0:\n        return 0\n    return n + 2\n"
GOLD = """\
diff --git a/shop.py b/shop.py
--- a/shop.py
+++ b/shop.py
@@ -1,4 +1,4 @@
 def double(n):
     if n < 0:
         return 0
-    return n + 2
+    return n * 2
"""
TEST_PATCH = """\
diff --git a/test_shop.py b/test_shop.py
new file mode 100644
--- /dev/null
+++ b/test_shop.py
@@ -0,0 +1,6 @@
+import shop
+
+
+def test_double():
+    assert shop.double(2) == 4
+    assert shop.double(5) == 10
"""


SCRIPT = f"""\
#!/bin/bash
set -uxo pipefail
source /opt/miniconda3/bin/activate
conda activate testbed
cd /testbed
git config --global --add safe.directory /testbed
export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
git status
git show
python -m pip install -e .
git checkout BASE test_old.py
git apply -v - <<'EOF_114329324912'
{TEST_PATCH}
EOF_114329324912
: '>>>>> Start Test Output'
pytest -rA test_shop.py test_old.py
: '>>>>> End Test Output'
git checkout BASE test_old.py
"""


def git(folder: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=A", "-c", "user.email=a@example.org")
    command = ["git", *identity, *arguments]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def make_repository(folder: Path) -> dict[str, Any]:
    """Make the clone FOLDER/tiny__shop, whose last commit holds the answer; the row."""
    clone = folder / "tiny__shop"
    clone.mkdir(parents=True)
    git(clone, "init", "-q")
    (clone / ".gitattributes").write_text("data.txt export-ignore\n")
    (clone / "data.txt").write_text("needed\n")
    (clone / "test_old.py").write_text(
        "import shop\n\n\ndef test_low():\n    assert shop.double(-1) == 0\n"
    )
    commits = []
    for text in ("", BUGGY, BUGGY.replace("n + 2", "n * 2")):
        (clone / "shop.py").write_text(text)
        git(clone, "add", "-A")
        git(clone, "commit", "-q", "-m", "more")
        commits.append(git(clone, "rev-parse", "HEAD"))
    return {
        "instance_id": "tiny__shop-1",
        "repo": "tiny/shop",
        "version": "1.0",
        "base_commit": commits[1],
        "patch": GOLD,
        "test_patch": TEST_PATCH,
        "problem_statement": "double(5) is 7",
        "FAIL_TO_PASS": ["test_shop.py::test_double"],
        "PASS_TO_PASS": ["test_old.py::test_low"],
        "log_parser": "parse_log_pytest",
        "eval_type": "pass_and_fail",
        "image": "amd64.tiny__shop-1:latest",
        "eval_script": SCRIPT.replace("BASE", commits[1]),
    }
