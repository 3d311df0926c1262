"""A miniature project in the layout of Defects4J: the framework's metadata and a clone."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

FIXED = {
    "src/main/java/mini/Text.java": """\
package mini;

public class Text {
    /** Größe: at most that many characters. */
    public static String cut(String text, int size) {
        if (text.length() <= size) {
            return text;
        }
        return text.substring(0, size) + "-";
    }

    public static int size(String text) {
        return text.length();
    }
}
""",
    "src/test/java/mini/TextTest.java": """\
package mini;

import static org.junit.Assert.assertEquals;
import org.junit.Test;

public class TextTest {
    @Test public void cutsNothing() { assertEquals("abc", Text.cut("abc", 3)); }
    @Test public void cuts() { assertEquals("ab-", Text.cut("abc", 2)); }
    @Test public void isRandom() { assertEquals(0.5, Math.random(), 0.1); }
}
""",
    "src/test/java/mini/LaterTest.java": """\
package mini;

public class LaterTest extends junit.framework.TestCase {
    public void testSize() { assertEquals(1, Text.size("a")); }
}
""",
    "src/changes/changes.xml": "<action>cut compares sizes the right way</action>\n",
    "RELEASE-NOTES.txt": "cut compares sizes the right way\n",
}
FROM_FIXED_TO_BUGGY = """\
diff --git a/src/main/java/mini/Text.java b/src/main/java/mini/Text.java
index 1111111..2222222 100644
--- a/src/main/java/mini/Text.java
+++ b/src/main/java/mini/Text.java
@@ -3,7 +3,7 @@
 public class Text {
     /** Größe: at most that many characters. */
     public static String cut(String text, int size) {
-        if (text.length() <= size) {
+        if (text.length() >= size) {
             return text;
         }
         return text.substring(0, size) + "-";
"""
METADATA = {
    "core/Project/Mini.pm": 'sub new {\n    my $name = "mini";\n}\n',
    "projects/Mini/patches/1.src.patch": FROM_FIXED_TO_BUGGY,
    "projects/Mini/trigger_tests/1": (
        "--- mini.TextTest::cuts\norg.junit.ComparisonFailure: expected:<ab[-]> but was:<ab[c]>\n"
    ),
    "projects/Mini/relevant_tests/1": "mini.LaterTest\nmini.TextTest\n",
    "projects/Mini/modified_classes/1.src": "mini.Text\n",
    "projects/Mini/random_tests": "    @Test\n--- mini.TextTest::isRandom\n--- other.Test::x\n",
}


@dataclass(frozen=True)
class Mini:
    """The folders that a user names, and the fixed version's sources."""

    framework: Path
    repositories: Path
    fixed: dict[str, str]


def make_mini(root: Path) -> Mini:
    """Write the project and its metadata."""
    clone = root / "clones" / "apache__mini"
    write(clone, FIXED, "latin-1")
    for argv in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "Fix cut"]):
        git(clone, *argv)
    commit = git(clone, "rev-parse", "HEAD").strip()
    table = f"bug.id,revision.id.buggy,revision.id.fixed,report.id,report.url\n1,0,{commit},M-1,-\n"
    files = {**METADATA, "projects/Mini/active-bugs.csv": table}
    write(root / "d4j" / "framework", files, "utf-8")
    return Mini(root / "d4j", root / "clones", FIXED)


def write(root: Path, files: dict[str, str], encoding: str) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding)


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    done = subprocess.run(
        ["git", *who, *arguments], cwd=folder, capture_output=True, text=True, check=True
    )
    return done.stdout
