"""Program texts that try to pass the tests of `double` without computing it."""

from __future__ import annotations

import textwrap

WRONG = "def double(x):\n    return x + x + 1\n"

MACHINERY = {
    "unittest-assert": "import unittest\nunittest.TestCase.assertEqual = lambda *a, **k: None\n",
    "unittest-assert-code": (
        "import unittest\n"
        "def quiet(self, *a, **k): pass\n"
        "unittest.TestCase.assertEqual.__code__ = quiet.__code__\n"
    ),
    "unittest-run": (
        "import unittest\nunittest.TestCase._callTestMethod = lambda self, method: None\n"
    ),
    "unittest-outcome": (
        "import unittest.case\n"
        "import contextlib\n"
        "@contextlib.contextmanager\n"
        "def calm(self, *a, **k):\n"
        "    try:\n"
        "        yield\n"
        "    except Exception:\n"
        "        pass\n"
        "unittest.case._Outcome.testPartExecutor = calm\n"
    ),
    "pytest-runtest": (
        "import _pytest.python\n_pytest.python.Function.runtest = lambda self: None\n"
    ),
    "pytest-report": (
        "import _pytest.reports as r\n"
        "old = r.TestReport.from_item_and_call.__func__\n"
        "def new(cls, item, call):\n"
        "    call.excinfo = None\n"
        "    return old(cls, item, call)\n"
        "r.TestReport.from_item_and_call = classmethod(new)\n"
    ),
    "pytest-call": (
        "import _pytest.runner as r\n"
        "old = r.CallInfo.from_call.__func__\n"
        "def new(cls, func, when, reraise=None):\n"
        "    return old(cls, lambda: None, when, reraise)\n"
        "r.CallInfo.from_call = classmethod(new)\n"
    ),
    "rewriter": (
        "import ast\n"
        "import _pytest.assertion.rewrite as r\n"
        "r.rewrite_asserts = lambda mod, *a, **k: [\n"
        "    setattr(node, 'body', [n for n in node.body if not isinstance(n, ast.Assert)]\n"
        "            or [ast.Pass(lineno=1, col_offset=0, end_lineno=1, end_col_offset=0)])\n"
        "    for node in ast.walk(mod) if isinstance(node, ast.FunctionDef)]\n"
    ),
    "helper-of-the-tests": (
        "import sys\nsys.modules['helper'].check = lambda value, wanted: None\n"
    ),
    "helper-code": (
        "import sys\nsys.modules['helper'].check.__code__ = (lambda value, wanted: None).__code__\n"
    ),
    "signal-handler": "import signal\nsignal.signal(signal.SIGUSR1, lambda *a: None)\n",
    "tracing": "import sys\nsys.settrace(lambda *a: None)\n",
}
"""Put in front of the faulty program, each replaces something that decides about tests."""

REACHING = {
    "frames": "import sys\nsys._getframe(1)\n",
    "frames-of-a-traceback": (
        "try:\n    raise ValueError\nexcept ValueError as e:\n    e.__traceback__.tb_frame\n"
    ),
    "frames-through-inspect": "import inspect\ninspect.stack()\n",
    "frames-through-logging": "import logging\nlogging.getLogger().findCaller(stacklevel=2)\n",
    "objects": "import gc\ngc.get_objects()\n",
    "referrers": "import gc\ngc.get_referrers(gc)\n",
    "code": "(lambda: 0).__code__.replace(co_name='x')\n",
    "dynamic": "exec('x = 1')\n",
    "proc": "open('/proc/self/maps').read()\n",
    "proc-descriptors": "import os\nos.open('/proc/self/fd', os.O_RDONLY)\n",
    "memory": "import ctypes\nctypes.CDLL(None)\n",
    "network": "import socket\nsocket.socket()\n",
    "process": "import subprocess\nsubprocess.run(['true'])\n",
    "fork": "import os\nif os.fork() == 0:\n    os._exit(0)\nos.wait()\n",
    "kill": "import os\nos.kill(os.getpid(), 0)\n",
    "environment": "import os\nos.environ['PYTEST_ADDOPTS'] = '-x'\n",
    "tests": "open('tests/test_first.py').read()\n",
    "tests-by-linecache": "import linecache\nlinecache.getlines('tests/test_first.py')\n",
    "text-through-timeit": "import timeit\ntimeit.timeit('1', number=1)\n",
    "source": "open('later.py', 'w').close()\n",
    "hook": "import sys\nsys.addaudithook(lambda *a: None)\n",
    "limits": "import resource\nresource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n",
}
"""Deeds that a fix of `double` has no use for; the program they come with is right."""

DEPARTURES = {
    "at-import-politely": "raise SystemExit(0)\n",
    "in-the-test": "import os\ndef double(x):\n    os._exit(0)\n",
    "raise-system-exit": "def double(x):\n    raise SystemExit(0)\n",
    "keyboard-interrupt": "def double(x):\n    raise KeyboardInterrupt\n",
    "skip": "import unittest\ndef double(x):\n    raise unittest.SkipTest('no')\n",
    "atexit": "import atexit, os\natexit.register(os._exit, 0)\n" + WRONG,
    "in-a-finalizer": (
        "import os\n"
        "class Number(int):\n"
        "    def __del__(self):\n"
        "        os._exit(0)\n"
        "def double(x):\n"
        "    return Number(x + x + 1)\n"
    ),
    "in-a-thread": (
        "import os, threading\n"
        "def double(x):\n"
        "    threading.Timer(0.01, os._exit, (0,)).start()\n"
        "    return x + x + 1\n"
    ),
    "by-a-signal": "import os, signal\ndef double(x):\n    os.kill(os.getpid(), signal.SIGTERM)\n",
}
"""Ways to leave before anything has been decided."""

PYTEST_DEPARTURES = {
    "pytest-exit": "import pytest\ndef double(x):\n    pytest.exit('done', returncode=0)\n",
    "pytest-skip": "import pytest\ndef double(x):\n    pytest.skip('no')\n",
    "pytest-xfail": "import pytest\ndef double(x):\n    pytest.xfail('no')\n",
    "pytest-skip-module": "import pytest\npytest.skip('no', allow_module_level=True)\n",
}

TEST_MARKERS = {
    "variable": "import os\nTESTED = lambda: 'PYTEST_CURRENT_TEST' in os.environ\n",
    "version-variable": "import os\nTESTED = lambda: any('PYTEST' in n for n in os.environ)\n",
    "modules": "import sys\nTESTED = lambda: 'py' + 'test' in sys.modules\n",
    "module-names": "import sys\nTESTED = lambda: any('unit' + 'test' == n for n in sys.modules)\n",
    "alarm": "import signal\nTESTED = lambda: signal.getitimer(signal.ITIMER_REAL)[0] > 0\n",
    "arguments": "import sys\nTESTED = lambda: sys.argv[0] != 'main.py'\n",
    "get": "import sys\nTESTED = lambda: sys.modules.get('_py' + 'test') is not None\n",
}
SPECIAL_CASE = "def double(x):\n    return x + x if TESTED() else x + x + 1\n"

FORGED_LINES = (
    r'{"k":"test","id":"%(id)s","o":"passed","d":0.1,"m":"","f":[],"p":0}'
    "\\n"
    r'{"k":"end","status":0,"stopped":false}'
    "\\n"
)


def write_everywhere(data: str) -> str:
    """A program that writes an expression's value to every descriptor, and leaves."""
    return (
        "import os\n"
        f"data = {data}\n"
        "for fd in range(3, 256):\n"
        "    try:\n"
        "        os.write(fd, data)\n"
        "    except OSError:\n"
        "        pass\n"
        "os._exit(0)\n"
    )


def indent(program: str) -> str:
    """The program as the body of a function."""
    return textwrap.indent(program, "    ")
