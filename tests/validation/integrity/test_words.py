"""Patches of Java, JavaScript and C that reach for their referee, and look-alikes."""

from __future__ import annotations

import pytest

from apr.core.patch import diff_texts
from validation.integrity import IntegrityGate, Scope

JAVA = """\
package p;

import java.util.List;

/** Calls System.exit never. */
public class Calc {
    static int add(int a, int b) {
        return a - b;
    }
}
"""
JAVASCRIPT = """\
// process.exit is not used
function add(a, b) {
    return a - b;
}
module.exports = { add };
"""
C = """\
#include <stdio.h>
/* exit(0) ends a program */
int add(int a, int b)
{
    return a - b;
}
"""
LANGUAGES = {
    "src/main/java/p/Calc.java": (JAVA, "return a - b;"),
    "lib/add.js": (JAVASCRIPT, "return a - b;"),
    "lib/add.ts": (JAVASCRIPT, "return a - b;"),
    "src/add.c": (C, "return a - b;"),
}
TESTS = ("p.CalcTest.addsSmallNumbers", "CalcTest::testAddsSmall")


def kind_of(path, statement):
    text, old = LANGUAGES[path]
    gate = IntegrityGate({path: text}, Scope(tests=TESTS))
    violation = gate.check(diff_texts({path: text}, {path: text.replace(old, statement)}))
    return None if violation is None else violation.kind.value


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("process-control", "System.exit(0);"),
        ("process-control", "System\n  .exit(0);"),
        ("process-control", "java.lang.System./* x */exit(0);"),
        ("process-control", "\\u0053ystem.exit(0);"),
        ("process-control", "Sys\\uu0074em.exit(0);"),
        ("process-control", "Runtime.getRuntime().halt(0);"),
        ("process-control", "ProcessHandle.current().destroy();"),
        ("introspection", "if (new Throwable().getStackTrace().length > 9) return 1;"),
        ("introspection", "StackWalker.getInstance();"),
        ("introspection", "Thread.getAllStackTraces();"),
        ("introspection", "System.setSecurityManager(null);"),
        ("reflection", "field.setAccessible(true);"),
        ("reflection", 'Class.forName("java.lang." + "System");'),
        ("native-code", "sun.misc.Unsafe.getUnsafe();"),
        ("test-machinery", "org.junit.Assume.assumeTrue(false);"),
        ("test-machinery", "throw new org.opentest4j.TestAbortedException();"),
        ("test-awareness", 'String test = "p.CalcTest";'),
        ("test-awareness", 'System.getProperty("surefire.test.class.path");'),
        ("test-awareness", 'String s = "sun.java.command";'),
        ("raw-output", 'new java.io.FileWriter("target/surefire-reports/TEST-p.xml");'),
        ("raw-output", "System.setOut(null);"),
        ("other-processes", 'new ProcessBuilder("true").start();'),
        ("native-code", 'System.load("x.so");'),
    ],
)
def test_java(kind, statement):
    assert kind_of("src/main/java/p/Calc.java", statement) == kind


@pytest.mark.parametrize("path", ["lib/add.js", "lib/add.ts"])
@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("process-control", "process.exit(0);"),
        ("process-control", "process['exit'](0);"),
        ("process-control", "process['ex' + 'it'](0);"),
        ("process-control", "process[`exit`](0);"),
        ("process-control", "process.\\u0065xit(0);"),
        ("process-control", "process['\\x65xit'](0);"),
        ("process-control", "const a = `${process.exit(0)}`;"),
        ("test-awareness", "require('child_process').execSync('true');"),
        ("test-awareness", "require('jest');"),
        ("test-awareness", "if (process.env.JEST_WORKER_ID) return a + b;"),
        ("test-awareness", "if (process.env['NODE_' + 'ENV'] === 'test') return a + b;"),
        ("test-machinery", "jest.fn();"),
        ("reflection", "eval('1');"),
        ("reflection", "new Function('return 1')();"),
        ("reflection", "(() => {}).constructor.constructor('x')();"),
        ("introspection", "Error.prepareStackTrace = (e, s) => s;"),
        ("foreign-state", "Object.is = () => true;"),
        ("foreign-state", "Object.prototype.toString = null;"),
        ("foreign-state", "JSON.stringify = () => '';"),
        ("raw-output", "require('fs').writeFileSync('x', 'y');"),
    ],
)
def test_javascript(path, kind, statement):
    assert kind_of(path, statement) == kind


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("process-control", "exit(0);"),
        ("process-control", "_exit (0);"),
        ("process-control", "ex\\\nit(0);"),
        ("process-control", "longjmp(env, 1);"),
        ("process-control", "fork();"),
        ("process-control", "signal(6, handler);"),
        ("reflection", "PASTE(ex ## it)(0);"),
        ("reflection", 'dlsym(0, "x");'),
        ("reflection", '__asm__("syscall");'),
        ("introspection", "ptrace(0, 0, 0, 0);"),
        ("import-machinery", "} __attribute__((constructor)) void f(void) {"),
        ("import-machinery", "} [[gnu::constructor]] void f(void) {"),
        ("other-processes", 'system("true");'),
        ("raw-output", "dup2(1, 2);"),
        ("raw-output", 'fopen("/proc/self/fd/1", "w");'),
        ("test-awareness", 'getenv("X");'),
    ],
)
def test_c(kind, statement):
    assert kind_of("src/add.c", statement) == kind


@pytest.mark.parametrize(
    ("path", "statement"),
    [
        ("src/main/java/p/Calc.java", "return a + b; // not System.exit(0)"),
        ("src/main/java/p/Calc.java", 'return "System.exit(0)".length() + exit(a);'),
        ("src/main/java/p/Calc.java", "throw new IllegalStateException(\"no 'exit'\");"),
        ("src/main/java/p/Calc.java", "System.out.println(a.exit(b));"),
        ("lib/add.js", "return a + b; /* process.exit(0) */"),
        ("lib/add.js", "const text = 'process.exit(0)'; return regexp.exec(text);"),
        ("lib/add.js", "return Object.is(a, b) || Object.is == c || `a test of ${a}`;"),
        ("lib/add.js", "process.stdout.write('x'); process.nextTick(f); a['exit'] = 1;"),
        ("src/add.c", 'printf("exit(0) fork()"); return a + b;'),
        ("src/add.c", "return exit_code + a.exit + loop_fork(a);"),
        ("src/add.c", "// fork()\n    return a + b;"),
    ],
)
def test_look_alikes_are_allowed(path, statement):
    assert kind_of(path, statement) is None


@pytest.mark.parametrize(
    ("path", "statement"),
    [
        ("src/main/java/p/Calc.java", "System.exit(1);"),
        ("lib/add.js", "process.exit(1);"),
        ("src/add.c", "exit(1);"),
    ],
)
def test_what_the_original_does_may_be_done_again(path, statement):
    text, old = LANGUAGES[path]
    before = text.replace(old, f"{statement} {old}")
    after = text.replace(old, f"{statement} {statement} return a + b;")
    assert IntegrityGate({path: before}).check(diff_texts({path: before}, {path: after})) is None
