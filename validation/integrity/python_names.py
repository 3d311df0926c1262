"""What Python offers to code that wants to know or change how it is judged: names by danger."""

from __future__ import annotations

import re
from collections.abc import Mapping

from validation.integrity.violation import ViolationKind as Kind


def _table(groups: Mapping[Kind, str]) -> dict[str, Kind]:
    return {name: kind for kind, names in groups.items() for name in names.split()}


MODULES: Mapping[str, Kind] = _table(
    {
        Kind.TEST_MACHINERY: "pytest _pytest unittest unittest2 mock doctest nose nose2 pluggy"
        " apr_harness xdist pytest_mock hypothesis testfixtures twisted.trial test.support"
        " django.test numpy.testing conftest tests coverage iniconfig pytester",
        Kind.INTROSPECTION: "gc faulthandler tracemalloc bdb pdb trace cProfile profile"
        " sys.monitoring _lsprof __main__",
        Kind.REFLECTION: "runpy code codeop marshal dis bytecode",
        Kind.IMPORT_MACHINERY: "site sitecustomize usercustomize zipimport imp"
        " _frozen_importlib _frozen_importlib_external importlib._bootstrap",
        Kind.PROCESS_CONTROL: "atexit _posixsubprocess pty",
        Kind.NATIVE_CODE: "ctypes _ctypes cffi mmap",
    }
)
"""Modules whose very import is a reach."""

CALLABLES: Mapping[str, Kind] = _table(
    {
        Kind.PROCESS_CONTROL: "os._exit os.abort os.kill os.killpg os.fork os.forkpty os.setsid"
        " os.getppid os.register_at_fork os.pidfd_open os.setpgid os.nice"
        " signal.signal signal.alarm signal.setitimer signal.raise_signal signal.pthread_kill"
        " signal.pthread_sigmask signal.set_wakeup_fd signal.siginterrupt"
        " _thread.interrupt_main _thread.exit threading._register_atexit threading._shutdown"
        " builtins.exit builtins.quit resource.setrlimit",
        Kind.RAW_OUTPUT: "os.write os.pwrite os.writev os.pwritev os.fdopen os.dup os.dup2 os.open"
        " os.pipe os.pipe2 os.close os.closerange os.sendfile os.memfd_create os.splice"
        " os.copy_file_range os.lseek fcntl.fcntl fcntl.ioctl io.FileIO io.open_code socket.fromfd"
        " sys.__stdout__ sys.__stderr__ sys.__stdin__",
        Kind.INTROSPECTION: "sys._getframe sys._current_frames sys._current_exceptions"
        " sys._getframemodulename sys.modules sys.settrace sys.setprofile sys.gettrace"
        " sys.getprofile sys.monitoring sys.addaudithook sys.getrefcount sys.setrecursionlimit"
        " sys.excepthook sys.unraisablehook sys.last_traceback sys.last_exc sys.argv"
        " sys.orig_argv sys.call_tracing sys.activate_stack_trampoline"
        " inspect.stack inspect.currentframe inspect.getouterframes inspect.getinnerframes"
        " inspect.trace inspect.getframeinfo inspect.getargvalues"
        " traceback.extract_stack traceback.walk_stack traceback.walk_tb traceback.print_stack"
        " traceback.format_stack traceback.StackSummary"
        " threading.settrace threading.setprofile threading.enumerate threading.main_thread"
        " threading.settrace_all_threads threading.setprofile_all_threads threading._active"
        " threading.excepthook",
        Kind.REFLECTION: "builtins.eval builtins.exec builtins.compile builtins.globals"
        " builtins.__import__ builtins.breakpoint builtins.__loader__ builtins.__spec__"
        " builtins.__builtins__ builtins.__build_class__ types.CodeType types.FunctionType"
        " types.CellType timeit.timeit timeit.repeat timeit.Timer"
        " pickle.loads pickle.load pickle.Unpickler"
        " _pickle.loads _pickle.Unpickler shelve.open importlib.import_module"
        " importlib.__import__ importlib.reload"
        " pkgutil.resolve_name pydoc.locate",
        Kind.IMPORT_MACHINERY: "sys.meta_path sys.path_hooks sys.path_importer_cache"
        " sys.path.append sys.path.insert sys.path.extend sys.path.remove sys.path.pop"
        " sys.path.clear sys.path.sort sys.path.reverse importlib.invalidate_caches"
        " builtins.__path__",
        Kind.OTHER_PROCESSES: "os.system os.popen os.execv os.execve os.execl os.execle os.execlp"
        " os.execvp os.execvpe os.execlpe os.spawnv os.spawnve os.spawnl os.spawnle os.spawnlp"
        " os.spawnvp os.spawnvpe os.spawnlpe os.posix_spawn os.posix_spawnp",
        Kind.FOREIGN_STATE: "os.putenv os.unsetenv",
        Kind.TEST_AWARENESS: "sys.flags sys.dont_write_bytecode signal.getitimer signal.getsignal"
        " resource.getrlimit resource.getrusage platform.node socket.gethostname os.uname"
        " getpass.getuser os.getlogin os.getuid os.geteuid os.getpid os.getpgrp os.getpgid"
        " os.getsid"
        " os.times os.statvfs os.sched_getaffinity os.get_exec_path threading.active_count"
        " sys.getallocatedblocks sys.displayhook time.tzname warnings.filters logging.root"
        " os.environ.items os.environ.keys os.environ.values",
        Kind.NETWORK: "socket.socket socket.create_connection socket.create_server"
        " socket.socketpair socketserver asyncio.open_connection asyncio.open_unix_connection"
        " ftplib.FTP smtplib.SMTP multiprocessing.connection",
    }
)
"""Members of modules, and builtins under `builtins.`, whose use is a reach."""

IMPORTED_TOGETHER: Mapping[str, Kind] = _table(
    {
        Kind.OTHER_PROCESSES: "subprocess multiprocessing pexpect",
    }
)
"""Modules that ordinary code has, seldom newly."""

ATTRIBUTES: Mapping[str, Kind] = _table(
    {
        Kind.PROCESS_CONTROL: "_exit",
        Kind.INTROSPECTION: "_getframe _current_frames f_back f_globals f_locals f_builtins f_code"
        " f_trace f_lineno f_lasti tb_frame tb_lasti gi_frame cr_frame ag_frame gi_code cr_code"
        " settrace setprofile addaudithook __subclasses__ __globals__ __builtins__ __closure__"
        " cell_contents co_code co_consts __code__ findCaller currentframe",
        Kind.REFLECTION: "__import__ __loader__ __builtins__",
        Kind.IMPORT_MACHINERY: "exec_module load_module meta_path path_hooks",
        Kind.TEST_MACHINERY: "__tracebackhide__ _pytestfixturefunction currentTestInfo",
    }
)
"""Attributes that mean the same on whatever object."""

STORED_NAMES: Mapping[str, Kind] = _table(
    {
        Kind.TEST_MACHINERY: "pytest_plugins collect_ignore collect_ignore_glob pytestmark __test__"
        " __unittest load_tests setUpModule tearDownModule __tracebackhide__",
        Kind.IMPORT_MACHINERY: "__path__ __file__ __spec__ __loader__",
        Kind.REFLECTION: "__builtins__",
    }
)
"""Names with a meaning for the runner or the interpreter when a module binds them."""

STORED_ATTRIBUTES: Mapping[str, Kind] = _table(
    {
        Kind.FORGED_EQUALITY: "__class__ __eq__ __ne__ __lt__ __le__ __gt__ __ge__ __contains__"
        " __bool__ __instancecheck__ __bases__",
        Kind.INTROSPECTION: "__code__ __defaults__ __kwdefaults__ __globals__",
        Kind.FOREIGN_STATE: "__dict__",
    }
)
"""Attributes whose assignment changes what an object is."""

COMPARISONS = frozenset(
    {"__eq__", "__ne__", "__lt__", "__le__", "__gt__", "__ge__", "__contains__"}
)
"""Methods that decide what an assertion sees."""

GUARDED_MODULES = frozenset(
    {
        "os", "posix", "nt", "sys", "builtins", "importlib", "signal", "inspect", "traceback",
        "threading", "_thread", "gc", "ctypes", "types", "_signal", "faulthandler", "atexit",
        "pytest", "_pytest", "unittest",
    }
)  # fmt: skip
"""Modules that code only takes members of: as a value they could be searched by any name."""

SYNONYMS = {"posix": "os", "nt": "os", "_signal": "signal", "__builtin__": "builtins"}
"""Other names of the same modules."""

BUILTINS = frozenset(
    name.removeprefix("builtins.") for name in CALLABLES if name.startswith("builtins.")
)

PLAIN_READERS = frozenset({"getattr", "hasattr"})
"""Builtins that read an attribute by name."""

PLAIN_WRITERS = frozenset({"setattr", "delattr"})
"""Builtins that change an attribute by name."""

MARKERS = re.compile(
    r"_?pytest|unittest2?|nose2?|py\.test|_pytest\..*|pytest\..*|unittest\..*"
    r"|\w*PYTEST_\w*|PYTEST|TOX_\w+|TOXENV|NOX_\w+|GITHUB_ACTIONS?|GITLAB_CI|TRAVIS|CIRCLECI"
    r"|BUILDKITE|JENKINS_URL|APPVEYOR|HYPOTHESIS\w*|COVERAGE_PROCESS\w*|COV_CORE\w*|APR_\w+"
    r"|apr_harness.*|UNITTEST\w*"
)
"""Strings that tell a test run from any other."""

CI_VARIABLES = frozenset({"CI", "CONTINUOUS_INTEGRATION", "TEST", "TESTING", "TF_BUILD"})
"""Environment variables that mean a test run, and words of their own elsewhere."""

REPORT_FILES = re.compile(
    r"(?:.*/)?(?:junit[\w.-]*|\S*TEST-\S*\.xml|\S*report\S*\.xml|results?\.xml|xunit\S*"
    r"|\S*\.(?:dist|egg)-info\S*|(?:.*/)?entry_points\.txt|surefire-reports\S*|failsafe-reports\S*|\.coverage\S*|conftest\.py|pytest\.ini|tox\.ini"
    r"|(?:site|user)customize(?:\.py)?|\S*\.pth|\.pytest_cache\S*|test_\w+\.py|\w+_test\.py"
    r"|\.git/\S*)"
)
"""Files that runners write or read."""

SPECIAL_FILES = re.compile(r".*/(?:proc|dev/fd|dev/shm|sys/fs)(?:/.*)?|/proc/?.*|/dev/(?:fd|std).*")
"""Paths that lead to processes and descriptors."""

CODE_AS_TEXT = re.compile(r"\b__import__\s*\(|\bos\._exit\b|\bsys\._getframe\b")
"""Code that only means something where texts are executed."""

CALLER_FIELDS = re.compile(r"%\((?:pathname|filename|funcName|lineno|module)\)")
"""Fields of a log record that say who calls."""
