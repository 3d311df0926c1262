"""A repository with a bug that an issue reports and no test shows, and its row of SWE-bench."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from support.tiny_repository import git

SHELF = '''\
"""What lies on a shelf."""


def first(items):
    return items[0]


def last(items):
    return items[len(items)]


def count(items):
    return len(items)
'''
TESTS = """\
from shelf.items import count, first


def test_first():
    assert first([3, 4]) == 3


def test_count():
    assert count([3, 4]) == 2
"""
GOLD = """\
diff --git a/shelf/items.py b/shelf/items.py
--- a/shelf/items.py
+++ b/shelf/items.py
@@ -8,3 +8,3 @@
 def last(items):
-    return items[len(items)]
+    return items[len(items) - 1]
\x20
"""
TEST_PATCH = """\
diff --git a/tests/test_last.py b/tests/test_last.py
new file mode 100644
--- /dev/null
+++ b/tests/test_last.py
@@ -0,0 +1,5 @@
+from shelf.items import last
+
+
+def test_the_last_one():
+    assert last([3, 4]) == 4
"""
ISSUE = """\
The last item of a shelf cannot be had

```python
from shelf.items import last
last([1, 2])
```

Traceback (most recent call last):
  File "/home/me/shelf/items.py", line 9, in last
    return items[len(items)]
IndexError: list index out of range
"""


def make_reported(folder: Path) -> dict[str, Any]:
    """Make the clone FOLDER/lib__shelf; the row of its one instance."""
    clone = folder / "lib__shelf"
    for path, text in {
        "shelf/__init__.py": "",
        "shelf/items.py": SHELF,
        "tests/test_items.py": TESTS,
        "tests/test_other.py": "def test_nothing():\n    pass\n",
        "conftest.py": "",
    }.items():
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_text(text)
    git(clone, "init", "-q")
    git(clone, "add", "-A")
    git(clone, "commit", "-q", "-m", "all")
    return {
        "instance_id": "lib__shelf-1",
        "repo": "lib/shelf",
        "version": "1.0",
        "base_commit": git(clone, "rev-parse", "HEAD"),
        "patch": GOLD,
        "test_patch": TEST_PATCH,
        "problem_statement": ISSUE,
        "FAIL_TO_PASS": ["tests/test_last.py::test_the_last_one"],
        "PASS_TO_PASS": [],
    }
