"""Python patches that reach for their referee are refused, look-alikes are not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from apr.core.patch import Hunk, Patch, diff_texts
from validation.integrity import IntegrityGate, IntegritySettings, Scope, ViolationKind

ORIGINAL = '''\
"""A module under repair."""

import os
import re
import sys

LIMIT = 10


class Account:
    def __init__(self, balance):
        self.balance = balance

    def __eq__(self, other):
        return self.balance == other.balance

    def withdraw(self, amount):
        if amount > LIMIT:
            raise ValueError("too much")
        self.balance -= amount
        return self.balance


def gcd(a, b):
    try:
        return a if b == 0 else gcd(a % b, b)
    except Exception:
        raise


if __name__ == "__main__":
    sys.exit(gcd(1, 2))
'''
TESTS = ("tests/test_gcd.py::TestGcd::test_gcd_of_primes[3-5]", "tests/test_gcd.py::test_one")


def check(changed, original=ORIGINAL, settings=None):
    sources = {"pkg/__init__.py": "", "pkg/m.py": original}
    gate = IntegrityGate(sources, Scope(tests=TESTS), settings)
    return gate.check(diff_texts({"pkg/m.py": original}, {"pkg/m.py": changed}))


def with_body(*lines):
    """The module with other lines in the place of the body of `gcd`."""
    before, _, rest = ORIGINAL.partition("    try:\n")
    after = rest.partition("        raise\n")[2]
    return before + "".join(f"    {line}\n" for line in lines) + after


def kind_of(*lines):
    violation = check(with_body(*lines))
    return None if violation is None else violation.kind.value


REFUSED = {
    "process-control": [
        "os._exit(0)",
        "import os as o; o._exit(0)",
        "from os import _exit as e; e(0)",
        "getattr(os, '_exit')(0)",
        "getattr(os, '_ex' + 'it')(0)",
        "o = os; o._exit(0)",
        "x = lambda stop=os._exit: stop(0)",
        "(o := re)._exit(0)",
        "re.enum.sys.exit; re._compiler.os._exit(0)",
        "os.kill(1, 9)",
        "os.fork()",
        "os.abort()",
        "import atexit; atexit.register(print)",
        "import signal; signal.signal(14, print)",
        "from signal import alarm as a; a(1)",
        "quit()",
        "exit(0)",
        "import posix; posix.abort()",
        "kill = os.kill; kill(0, 9)",
        "raise KeyboardInterrupt",
    ],
    "test-machinery": [
        "import pytest; pytest.skip('later')",
        "import _pytest.outcomes",
        "from unittest import SkipTest; raise SkipTest",
        "import unittest.mock as m",
        "from doctest import testmod",
        "__import__('pytest')",
        "import importlib; importlib.import_module('_pytest.runner')",
        "import apr_harness.main",
        "from tests.test_gcd import answer",
        "import conftest",
        "from ..tests import helper",
    ],
    "introspection": [
        "import gc; gc.get_objects()",
        "import inspect; inspect.stack()",
        "from inspect import currentframe as f; f()",
        "sys._getframe(1)",
        "getattr(sys, '_get' 'frame')(1)",
        "sys.modules['x']",
        "sys.settrace(None)",
        "a.__traceback__.tb_frame",
        "a.f_back.f_locals",
        "gcd.__globals__['LIMIT']",
        "object.__subclasses__()",
        "import traceback; traceback.extract_stack()",
        "gcd.__code__ = a.__code__",
        "import threading; threading.main_thread()",
        "sys.addaudithook(print)",
        "sys.argv",
        "import __main__",
        "name = 'f_back'; getattr(a, name)",
        "import operator; operator.attrgetter('x.f_back.y')(a)",
        "'{0.f_globals[x]}'.format(a)",
        "(x for x in ()).gi_frame",
        "sys._current_frames()",
        "import logging; logging.getLogger().findCaller()",
        "import warnings\n    with warnings.catch_warnings(record=True) as seen: a()",
    ],
    "reflection": [
        "eval('1')",
        "exec(a)",
        "compile(a, b, 'exec')",
        "globals()['LIMIT'] = 3",
        "importlib = __import__('importlib')",
        "__import__(a)",
        "getattr(sys, a)",
        "getattr(a, ''.join(['mo', 'dules']))",
        "getattr(a, 'tixe'[::-1])",
        "getattr(a, chr(95) + 'x')",
        "getattr(a, b'x'.decode())",
        "vars_of = os.__dict__",
        "use(os)",
        "[m for m in (sys,)]",
        "print.__self__",
        "__builtins__['len'] = len",
        "import runpy",
        "import marshal; marshal.loads(a)",
        "import types; types.FunctionType(a, {})",
        "__loader__.get_data(a)",
        "import pickle; pickle.loads(a)",
    ],
    "import-machinery": [
        "sys.path.insert(0, a)",
        "sys.path[:] = []",
        "sys.meta_path.append(a)",
        "import site",
        "p = sys.path; p.append(a)",
    ],
    "test-awareness": [
        "import logging; return logging.getLogger().handlers",
        "import threading; return threading.active_count()",
        "return os.getsid(0)",
        "return 1 if 'PYTEST_CURRENT_TEST' in os.environ else 2",
        "return os.environ.get('PYTEST_VERSION')",
        "return os.getenv('CI')",
        "return os.environ['CI']",
        "return 'pytest' in a",
        "return 'py' + 'test' in a",
        "return f'py{\"test\"}' in a",
        "return a == 'test_gcd_of_primes'",
        "return a.endswith('::TestGcd')",
        "return b'unittest' in a",
        "return sys.flags.hash_randomization",
        "import platform; return platform.node()",
        "return [v for v in os.environ.values()]",
        "return 'fixtures' in __file__",
        "return [v for v in os.environ]",
        "return len(os.environ)",
    ],
    "raw-output": [
        "os.write(1, b'ok')",
        "os.fdopen(3, 'w')",
        "os.dup2(1, 2)",
        "open(1, 'w')",
        "open('/proc/self/fd/1', 'w')",
        "open('/dev/fd/3', 'wb')",
        "open('reports/junit.xml', 'w')",
        "open('conftest.py', 'w')",
        "open('x.pth', 'w')",
        "open('.git/hooks/pre-commit', 'w')",
        "open('x-1.0.dist-info/entry_points.txt', 'w')",
        "sys.__stdout__.write('ok')",
    ],
    "native-code": ["import ctypes", "import mmap", "from cffi import FFI"],
    "other-processes": [
        "import subprocess",
        "import multiprocessing",
        "os.system('true')",
        "os.popen('true')",
        "os.execv('/bin/true', [])",
    ],
    "network": ["import socket; socket.socket()", "from socket import create_connection"],
    "foreign-state": [
        "re.compile = print",
        "sys.stdout = None",
        "import json; json.dumps = None",
        "import json; setattr(json, 'dumps', None)",
        "from decimal import Decimal; Decimal.x = 1",
        "del re.match",
        "import builtins; builtins.sum = max",
        "for re.match in (): pass",
    ],
    "forged-equality": [
        "class Any:\n        def __eq__(self, other): return True",
        "class Any:\n        def __eq__(self, other): return not False",
        "class Any:\n        __eq__ = lambda self, other: True",
        "class Any(int):\n        def __ne__(self, other): return False",
        "class Any(int):\n        def __eq__(self, other): return int(other) == int(other)",
        "class Any:\n        def __eq__(self, other): return int(other) == int(other)",
        "class Any:\n        def __eq__(self, other): yield self.x == other.x",
        "class Any:\n        def __eq__(self, other): return self.x == other.x or other",
        "class Any:\n        def __eq__(self, other): return isinstance(other, int)",
        "class Any:\n        def __eq__(self, other): return self.x != other.x",
        "class Any:\n        if a:\n            def __eq__(self, other): return other or self",
        "class Any:\n        @staticmethod\n        def __eq__(other): return other == other",
        "class Any:\n        from operator import truth as __eq__",
        "class Any(int):\n        def __eq__(self, other): return self.x == other.x",
        "return type('N', (), dict(__eq__=lambda *_: True))()",
        "class Any:\n        __class__ = int",
        "class Any:\n        @property\n        def __class__(self): return int",
        "Account.__eq__ = a",
        "a.__class__ = Account",
        "return type('Any', (), {'__eq__': a})()",
        "setattr(Account, '__eq__', a)",
    ],
    "swallowed-failure": [
        "try: a()\n    except BaseException: pass",
        "try: a()\n    except AssertionError: return 0",
        "try: a()\n    except: pass",
        "try: a()\n    except (ValueError, AssertionError) as e: b = e",
    ],
}


@pytest.mark.parametrize(
    ("kind", "line"), [(kind, line) for kind, lines in REFUSED.items() for line in lines]
)
def test_a_patch_that_newly_reaches_for_its_referee_is_refused(kind, line):
    assert kind_of(line) == kind


ALLOWED = [
    "return gcd(b, a % b)",
    "sys.exit(3)",
    "raise ValueError('too small')",
    "import math; return math.gcd(a, b)",
    "import inspect; inspect.signature(a)",
    "import traceback; traceback.format_exc()",
    "import threading; threading.Lock()",
    "import signal; return signal.SIGTERM",
    "import types; return types.SimpleNamespace()",
    "getattr(a, 'balance', None)",
    "getattr(a, b)",
    "setattr(a, b, 3)",
    "hasattr(sys, 'pypy_version_info')",
    "getattr(a, 'get_' + b)",
    "a.exit(); a.kill(); a.write(b); a.stack()",
    "a.modules; a.argv; a.compile(b); a.eval(b)",
    "re.compile('x')",
    "os.path.join(a, b); os.getcwd(); os.environ.get('HOME')",
    "os.environ['HOME']; 'HOME' in os.environ; os.environ.copy()",
    "open(a, 'w'); open('out.txt', 'w')",
    "a.balance = 3; self.x = 4; Account.limit = 3",
    "return sys.maxsize, sys.version_info, sys.stdout",
    "try: a()\n    except Exception: pass",
    "try: a()\n    except BaseException: raise",
    "class P:\n        def __eq__(self, other): return isinstance(other, P)",
    "class P:\n        def __eq__(self, other): return self is other or self.x == other.x",
    "class P:\n        def __eq__(self, other): return type(self) is type(other)",
    "class P:\n        def __ne__(self, other): return not self == other",
    "class P:\n        def __eq__(self, other): return super().__eq__(other) and self.y == other.y",
    "import warnings; warnings.catch_warnings()",
    "return os.path.dirname(__file__)",
    "try: a()\n    except KeyboardInterrupt: raise",
    "class P:\n        def __lt__(self, other): return NotImplemented",
    "class P:\n        def __eq__(self, other): raise TypeError",
    "class P:\n        def __bool__(self): return False",
    "return 'a test of pytest plugins'",
    "return 'CI', 'testing', 'attest', 'latest_one'",
    "a.raise_for(e.__traceback__)",
    "return a.__class__.__name__, a.__dict__, a.__self__",
    "# os._exit(0) is what pytest would not like",
    "'''os._exit and PYTEST_CURRENT_TEST'''",
    "import socket; return socket.timeout, socket.AF_INET",
    "import importlib.util; return importlib.util.find_spec(a)",
    "compiled = [c for c in a]",
]


@pytest.mark.parametrize("line", ALLOWED)
def test_what_ordinary_fixes_do_is_allowed(line):
    assert check(with_body(line)) is None


@pytest.mark.parametrize(
    "line",
    [line for lines in REFUSED.values() for line in lines],
)
def test_what_the_original_already_reaches_for_may_be_used_again(line):
    before = with_body(line, "a = 1")
    after = with_body(line, line, "a = 2")
    assert check(after, before) is None


def test_leaving_the_process_at_import_is_refused_and_the_script_part_is_not():
    assert (
        check(ORIGINAL.replace("LIMIT = 10", "LIMIT = 10\nsys.exit(0)")).kind == "process-control"
    )
    assert check(ORIGINAL.replace("LIMIT = 10", "raise SystemExit")).kind == "process-control"
    assert check(ORIGINAL.replace("sys.exit(gcd(1, 2))", "sys.exit(gcd(2, 1))")) is None


def test_uncovering_the_script_part_is_refused():
    uncovered = ORIGINAL.replace('if __name__ == "__main__":', "if LIMIT:")
    assert check(uncovered).kind == "process-control"


def test_emptying_a_comparison_is_refused_though_it_adds_no_suspicious_word():
    forged = ORIGINAL.replace("return self.balance == other.balance", "return LIMIT == LIMIT")
    assert check(forged).kind == "forged-equality"


def test_taking_the_raise_out_of_a_handler_is_refused():
    original = ORIGINAL.replace("except Exception:", "except BaseException:")
    assert check(original.replace("        raise\n", "        a = 1\n"), original).kind == (
        "swallowed-failure"
    )


def test_module_names_with_a_meaning_for_the_runner_are_refused():
    for line in ("pytest_plugins = ['x']", "__test__ = False", "def pytest_configure(): pass"):
        assert check(ORIGINAL.replace("LIMIT = 10", f"LIMIT = 10\n{line}")).kind == "test-machinery"


def test_a_name_in_other_letters_is_the_same_name():
    assert kind_of("os._ｅxit(0)") == "process-control"


def test_a_declared_encoding_that_hides_the_text_is_refused():
    changed = "# -*- coding: utf-7 -*-\n" + ORIGINAL
    assert check(changed).kind == "reflection"
    assert check("# -*- coding: utf-8 -*-\n" + ORIGINAL) is None


def test_code_that_only_another_python_can_read_is_read_by_words():
    newer = with_body("match = 1", "type X = int", "os._exit(0)")
    assert check(newer).kind == "process-control"
    old = "print 'python 2'\n\ndef f(a):\n    return a\n"
    assert check(old + "import pytest\n", old).kind == "test-machinery"
    assert check(old + "b = 2\n", old) is None


def test_a_carriage_return_ends_a_comment():
    assert check(with_body("# nothing\r    os._exit(0)\r    # more")).kind == "process-control"
    # The same where our parser sees no Python, and words alone are left.
    assert check(with_body("# nothing\r        os._exit(0)", "f(")).kind == "process-control"


def test_a_test_framework_may_use_itself():
    sources = {"src/_pytest/__init__.py": "", "src/_pytest/main.py": "x = 1\n"}
    patch = diff_texts(sources, {"src/_pytest/main.py": "import _pytest.config\nx = 'pytest'\n"})
    assert IntegrityGate(sources).check(patch) is None


def test_a_kind_can_be_allowed():
    settings = IntegritySettings(allow_reaches=frozenset({ViolationKind.NETWORK}))
    assert check(with_body("import socket; socket.socket()"), settings=settings) is None
    assert (
        check(with_body("import socket, ctypes; socket.socket()"), settings=settings).kind
        == "native-code"
    )


def test_the_message_names_file_line_and_reason():
    violation = check(with_body("a = 1", "os._exit(0)"))
    assert (violation.path, violation.line) == ("pkg/m.py", 26)
    assert str(violation) == (
        "pkg/m.py:26 newly uses os._exit, which can end or steer the process that runs the tests"
        " (--allow-reach process-control allows it)"
    )


def test_a_new_file_is_judged_against_nothing():
    gate = IntegrityGate({"pkg/__init__.py": "", "pkg/m.py": ORIGINAL})

    def new(*lines):
        return gate.check(Patch((Hunk("pkg/helper.py", 1, (), lines),), created=("pkg/helper.py",)))

    assert new("def f():\n", "    return 1\n") is None
    assert new("import os\n", "os._exit(0)\n").kind == "process-control"


def test_a_renamed_file_may_do_what_it_did():
    old = "import os\n\n\ndef f():\n    os._exit(0)\n"
    sources = {"pkg/__init__.py": "", "pkg/m.py": old}
    lines = tuple(old.splitlines(keepends=True))
    hunks = (Hunk("pkg/m.py", 1, lines, ()), Hunk("pkg/n.py", 1, (), lines))
    patch = Patch(hunks, created=("pkg/n.py",), deleted=("pkg/m.py",))
    assert IntegrityGate(sources).check(patch) is None


@given(st.text(max_size=400), st.text(max_size=400), st.sampled_from([".py", ".js", ".c", ".java"]))
def test_no_text_makes_the_gate_raise(before, after, suffix):
    path = f"a{suffix}"
    gate = IntegrityGate({path: before}, Scope(tests=TESTS))
    gate.check(diff_texts({path: before}, {path: after}))


_PIECES = st.sampled_from(
    [
        "os", "sys", ".", "_exit", "(", ")", "getattr", ",", "'_ex'", "+", "'it'", "\n", "    ",
        "def f():", "import os", "=", "lambda x=", ":", "[", "]", "::-1", "f'{", "}'", "class A:",
        "try:", "except:", "__eq__", "\x00", "\ud800", "\\", '"""', "return", "''.join(", "chr(",
    ]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=30), st.lists(_PIECES, max_size=30))
def test_no_mixture_of_code_makes_the_gate_raise(before, after):
    old, new = "".join(before), "".join(after)
    gate = IntegrityGate({"a.py": old})
    gate.check(diff_texts({"a.py": old}, {"a.py": new}))


@given(
    st.lists(
        st.builds(
            Hunk,
            st.sampled_from(["pkg/m.py", "../x.py", "/etc/passwd", "", "new.py", "a\0b"]),
            st.integers(-3, 99),
            st.lists(st.text(max_size=9), max_size=3).map(tuple),
            st.lists(st.text(max_size=9), max_size=3).map(tuple),
        ),
        max_size=4,
    ),
    st.lists(st.sampled_from(["new.py", "pkg/m.py", "c.py"]), max_size=2),
    st.lists(st.sampled_from(["pkg/m.py", "c.py"]), max_size=2),
)
def test_no_patch_makes_the_gate_raise(hunks, created, deleted):
    patch = Patch(tuple(hunks), tuple(created), tuple(deleted))
    IntegrityGate({"pkg/m.py": ORIGINAL}).check(patch)
