"""A bug or two of each public benchmark's form, made here, that fix templates mend at once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from support.tiny_repository import git

GCD = "def gcd(a, b):\n    return a if b == 0 else gcd({})\n"
JAVA_GCD = """\
package {};

public class GCD {{
    public static int gcd(int a, int b) {{
        return b == 0 ? a : gcd({});
    }}
}}
"""
JAVA_TEST = """\
package java_testcases.junit;

import org.junit.Assert;

public class GCD_TEST {
    @org.junit.Test(timeout = 3000)
    public void test_0() {
        Assert.assertEquals(17, java_programs.GCD.gcd(17, 0));
    }

    @org.junit.Test(timeout = 3000)
    public void test_1() {
        Assert.assertEquals(4, java_programs.GCD.gcd(20, 8));
    }
}
"""
PYTEST_GCD = """\
from python_programs.gcd import gcd


def test_zero():
    assert gcd(17, 0) == 17


def test_eight():
    assert gcd(20, 8) == 4
"""
QUIXBUGS = {
    "conftest.py": "",
    "python_programs/gcd.py": GCD.format("a % b, b"),
    "correct_python_programs/gcd.py": GCD.format("b, a % b"),
    "python_testcases/test_gcd.py": PYTEST_GCD,
    "json_testcases/gcd.json": "[[17, 0], 17]\n[[20, 8], 4]\n",
    "java_programs/GCD.java": JAVA_GCD.format("java_programs", "a % b, b"),
    "correct_java_programs/GCD.java": JAVA_GCD.format("correct_java_programs", "b, a % b"),
    "java_testcases/junit/GCD_TEST.java": JAVA_TEST,
}


def row(task: str, declaration: str, wrong: str, right: str, test: str) -> dict[str, Any]:
    """A row of HumanEvalFix's."""
    return {
        "task_id": task,
        "declaration": declaration,
        "buggy_solution": wrong,
        "canonical_solution": right,
        "test": test,
        "entry_point": "larger",
        "bug_type": "operator misuse",
    }


PYTHON_ROW = row(
    "Python/900",
    "def larger(a: int, b: int):\n",
    "    return a if a < b else b\n",
    "    return a if a > b else b\n",
    "def check(larger):\n    assert larger(2, 1) == 2\n    assert larger(3, 3) == 3\n\n"
    "check(larger)\n",
)
JAVA_ROW = row(
    "Java/900",
    "import java.util.*;\n\nclass Solution {\n    public int larger(int a, int b) {\n",
    "        return a < b ? a : b;\n    }\n}",
    "        return a > b ? a : b;\n    }\n}",
    "public class Main {\n    public static void main(String[] args) {\n"
    "        Solution s = new Solution();\n"
    "        List<Boolean> correct = Arrays.asList(\n"
    "            s.larger(2, 1) == 2,\n            s.larger(3, 3) == 3 // equal\n        );\n"
    "        if (correct.contains(false)) {\n            throw new AssertionError();\n        }\n"
    "    }\n}\n",
)
JAVASCRIPT_ROW = row(
    "JavaScript/900",
    "\nconst larger = (a, b) => {\n",
    "  return a < b ? a : b;\n}\n\n",
    "  return a > b ? a : b;\n}\n\n",
    "const testLarger = () => {\n  const two = 2\n  console.assert(larger(two, 1) === 2)\n"
    "  console.assert(larger(3, 3) === 3)\n}\n\ntestLarger()\n",
)


def write(folder: Path, files: dict[str, str]) -> Path:
    """The folder with these files in it."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def write_rows(path: Path, *rows: dict[str, Any]) -> Path:
    """A JSON-lines file."""
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))
    return path


def make_bugsinpy(folder: Path) -> None:
    """The framework as FOLDER/BugsInPy with three bugs of FOLDER/clones/shop.

    Bug 1 is run by unittest, 2 by pytest with parameters, 3 by tox.
    """
    clone = write(
        folder / "clones" / "shop",
        {
            "shop/cart.py": "def larger(a, b):\n    return a if a < b else b\n",
            "shop/__init__.py": "",
            "test/__init__.py": "",
            "test/test_cart.py": "import unittest\n",
        },
    )
    git(clone, "init", "-q")
    git(clone, "add", ".")
    git(clone, "commit", "-qm", "buggy")
    buggy = git(clone, "rev-parse", "HEAD")
    write(clone, {"shop/cart.py": "def larger(a, b):\n    return a if a > b else b\n"})
    patch = git(clone, "diff") + "\n"
    write(
        clone,
        {
            "test/test_cart.py": "import unittest\n\nfrom shop.cart import larger\n\n\n"
            "class TestCart(unittest.TestCase):\n"
            "    def test_larger(self):\n        self.assertEqual(larger(2, 1), 2)\n\n"
            "    def test_equal(self):\n        self.assertEqual(larger(3, 3), 3)\n",
            "test/test_param.py": "import pytest\n\nfrom shop.cart import larger\n\n\n"
            "@pytest.mark.parametrize('n', [1, 2])\n"
            "def test_larger(n):\n    assert larger(n + 1, n) == n + 1\n",
        },
    )
    git(clone, "add", ".")
    git(clone, "commit", "-qm", "fixed")
    fixed = git(clone, "rev-parse", "HEAD")
    scripts = {
        "1": "python -m unittest -q test.test_cart.TestCart.test_larger\n",
        "2": "pytest test/test_param.py::test_larger\r\n",
        "3": "tox test/test_cart.py\n",
    }
    files = {"project.info": 'github_url="https://github.com/tiny/shop"\nstatus="OK"\n'}
    for number, script in scripts.items():
        files |= {
            f"bugs/{number}/bug.info": f'python_version="3.7.0"\nbuggy_commit_id="{buggy}"\n'
            f'fixed_commit_id ="{fixed}"\n'
            f'test_file="{"test/test_param.py" if number == "2" else "test/test_cart.py"}"\n',
            f"bugs/{number}/run_test.sh": script,
            f"bugs/{number}/bug_patch.txt": patch,
        }
    write(folder / "BugsInPy" / "projects" / "shop", files)
