"""What to look for in languages that are read word by word: sequences of words and signs."""

from __future__ import annotations

import re
from collections.abc import Mapping

from validation.integrity import python_names, tokens
from validation.integrity.reach import Reach, Reaches, TestNames
from validation.integrity.tokens import Lexis, Token
from validation.integrity.violation import ViolationKind as Kind

Rules = Mapping[str, tuple[tuple[tuple[str, ...], Kind], ...]]
"""By first word: the whole sequences that start with it."""


def _rules(groups: Mapping[Kind, str]) -> Rules:
    """Sequences are written as in the language, `~` for a blank; a leading dot means any object."""
    table: dict[str, list[tuple[tuple[str, ...], Kind]]] = {}
    for kind, texts in groups.items():
        for text in texts.split():
            sequence = tuple(re.findall(r"[\w$]+|[^\w$~]", text))
            table.setdefault(sequence[0], []).append((sequence, kind))
    return {first: tuple(sequences) for first, sequences in table.items()}


def _named(kind: Kind, table: Mapping[str, Kind], form: str) -> list[str]:
    """The names of one kind; of the builtins only the two that run any text."""
    listed = [name for name, other in table.items() if other is kind]
    spelled = [name + "(" if name in _RUN_TEXT else name for name in listed]
    return [
        form.format(name.removeprefix("builtins."))
        for name in spelled
        if name.removesuffix("(") in _RUN_TEXT or not name.startswith("builtins.")
    ]


_RUN_TEXT = frozenset({"builtins.eval", "builtins.exec"})

JAVA = _rules(
    {
        Kind.PROCESS_CONTROL: "System.exit Runtime.getRuntime .halt( addShutdownHook"
        " System.runFinalizersOnExit Thread.setDefaultUncaughtExceptionHandler"
        " setUncaughtExceptionHandler ProcessHandle"
        " sun.misc.Signal jdk.internal",
        Kind.INTROSPECTION: ".getStackTrace( StackWalker getAllStackTraces StackTraceElement"
        " ManagementFactory getClassContext SecurityManager setSecurityManager ThreadMXBean"
        " Instrumentation getThreadGroup dumpStack",
        Kind.REFLECTION: "setAccessible Unsafe Class.forName getDeclaredField getDeclaredFields"
        " getDeclaredMethod privateLookupIn MethodHandles ScriptEngineManager ScriptEngine"
        " defineClass .defineHiddenClass( java.lang.reflect.Proxy URLClassLoader ToolProvider"
        " JavaCompiler ByteBuddy javassist .setContextClassLoader(",
        Kind.NATIVE_CODE: "System.load( System.loadLibrary sun.misc.Unsafe",
        Kind.OTHER_PROCESSES: "ProcessBuilder .exec(",
        Kind.TEST_MACHINERY: "org.junit junit.framework junit.textui org.testng org.mockito"
        " org.hamcrest org.assertj org.easymock org.powermock surefire AssumptionViolatedException"
        " TestAbortedException org.opentest4j",
        Kind.RAW_OUTPUT: "FileDescriptor System.setOut System.setErr System.setIn",
        Kind.FOREIGN_STATE: "System.setProperty System.setProperties System.clearProperty",
        Kind.NETWORK: "ServerSocket java.net.Socket DatagramSocket HttpURLConnection",
    }
)
JAVASCRIPT = _rules(
    {
        Kind.PROCESS_CONTROL: "process.exit process.abort process.kill process.reallyExit"
        " process.exitCode process.on process.once process.emit process.removeAllListeners"
        " process.disconnect"
        " process.setUncaughtExceptionCaptureCallback Deno.exit",
        Kind.INTROSPECTION: "prepareStackTrace captureStackTrace .callee .caller"
        " getActiveResourcesInfo process._getActiveHandles process.argv require.cache require.main"
        " module.parent",
        Kind.REFLECTION: "eval( Function( new~Function constructor.constructor process.binding"
        " process.mainModule process.dlopen module.constructor vm.runInThisContext"
        " vm.runInNewContext vm.runInContext",
        Kind.TEST_MACHINERY: "jest mocha jasmine vitest expect.extend describe( beforeEach("
        " afterEach( beforeAll( afterAll( chai sinon assert.strictEqual= QUnit",
        Kind.TEST_AWARENESS: "JEST_WORKER_ID VITEST process.env.NODE_ENV process.env.CI",
        Kind.OTHER_PROCESSES: "child_process worker_threads cluster.fork",
        Kind.RAW_OUTPUT: "writeSync appendFileSync writeFileSync process.stdout.fd"
        " process.stdout.write= process.stderr.write=",
        Kind.FOREIGN_STATE: "globalThis.Object= Object.is= JSON.stringify= Array.isArray="
        " Object.prototype. Array.prototype.every= Function.prototype. Promise.prototype."
        " Symbol.hasInstance .__proto__= .valueOf= .__defineGetter__",
    }
)
C = _rules(
    {
        Kind.PROCESS_CONTROL: "exit( _exit( _Exit( quick_exit( longjmp siglongjmp atexit"
        " on_exit at_quick_exit fork( vfork( kill( signal( sigaction sigprocmask setitimer"
        " alarm( pthread_exit pthread_kill prctl setsid( tgkill std.terminate std.set_terminate",
        Kind.INTROSPECTION: "ptrace backtrace( backtrace_symbols dladdr __builtin_return_address"
        " __builtin_frame_address program_invocation_name getppid _Unwind_Backtrace"
        " process_vm_readv __progname",
        Kind.REFLECTION: "dlopen dlsym dlmopen mprotect asm __asm__ __asm syscall(",
        Kind.IMPORT_MACHINERY: "constructor) constructor] constructor( constructor,"
        " __constructor__ destructor) destructor( destructor, __destructor__ init_array"
        " fini_array weakref ifunc __malloc_hook",
        Kind.OTHER_PROCESSES: "system( popen( execl execlp execle execv( execvp( execvpe execve("
        " posix_spawn posix_spawnp",
        Kind.RAW_OUTPUT: "dup2( dup( dup3( freopen( fdopen( STDOUT_FILENO STDERR_FILENO",
        Kind.TEST_MACHINERY: "gtest gmock CPPUNIT cmocka CU_ASSERT munit catch2 CATCH_",
        Kind.TEST_AWARENESS: "getenv( secure_getenv(",
        Kind.FOREIGN_STATE: "setenv( putenv( unsetenv(",
    }
)
PYTHON = _rules(
    {
        kind: " ".join(
            [
                *_named(kind, python_names.ATTRIBUTES, "{}"),
                *_named(kind, python_names.CALLABLES, "{}"),
                *_named(kind, python_names.MODULES, "import~{}"),
                *_named(kind, python_names.MODULES, "from~{}"),
            ]
        )
        for kind in Kind
    }
)
"""For Python of another version than ours, which our parser cannot read."""

_REPORT = re.compile(
    r"(?:.*/)?(?:junit[\w.-]*|TEST-\S*|\S*surefire\S*|\S*failsafe-reports\S*|\S*\.gcda|\.nyc_output\S*"
    r"|.*jest.*|.*mocha.*|.*junit.*|.*/build/test-results.*)"
)
_MARKERS = re.compile(
    r"NODE_ENV|JEST_WORKER_ID|JEST_\w+|VITEST\w*|MOCHA\w*|surefire\.\S+|org\.junit\S*|junit\S*"
    r"|sun\.java\.command|java\.class\.path|LD_PRELOAD|GTEST_\w+|CTEST_\w+|(?:node:)?child_process"
    r"|(?:node:)?(?:vm|inspector|v8|worker_threads|cluster|async_hooks|test)|jest|@jest/\S+"
    r"|vitest|mocha|chai|sinon|jasmine\S*|expect|ava"
)


def read_tokens(text: str, lexis: Lexis, rules: Rules, tests: TestNames) -> Reaches:
    """Everything in the text that the rules name, and the texts that tell a test run."""
    reaches: Reaches = {}
    stream = tokens.tokens(text, lexis)
    for position, token in enumerate(stream):
        if token.is_text:
            _read_text(token, tests, reaches)
            continue
        for sequence, kind in rules.get(token.value, ()):
            if _matches(stream, position, sequence):
                reaches.setdefault(Reach(kind, "".join(sequence).rstrip("(=.")), token.line)
        if token.value == "##":
            reaches.setdefault(Reach(Kind.REFLECTION, "a name pasted together"), token.line)
    return reaches


def _matches(stream: list[Token], position: int, sequence: tuple[str, ...]) -> bool:
    window = stream[position : position + len(sequence)]
    after = stream[position + len(sequence) : position + len(sequence) + 1]
    if sequence[-1] == "=" and after and after[0].value == "=":
        return False  # a comparison
    return len(window) == len(sequence) and all(
        token.value == wanted and not token.is_text
        for token, wanted in zip(window, sequence, strict=True)
    )


def _read_text(token: Token, tests: TestNames, reaches: Reaches) -> None:
    text = token.value[:4096]
    shown = f"the text {text!r}"
    if _MARKERS.fullmatch(text) or python_names.MARKERS.fullmatch(text):
        reaches.setdefault(Reach(Kind.TEST_AWARENESS, shown), token.line)
    if _REPORT.fullmatch(text) or python_names.SPECIAL_FILES.fullmatch(text):
        reaches.setdefault(Reach(Kind.RAW_OUTPUT, shown), token.line)
    test = tests.named_in(text)
    if test is not None:
        reaches.setdefault(Reach(Kind.TEST_AWARENESS, f"the name of the test {test}"), token.line)
