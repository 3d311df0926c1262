package apr.harness;

import java.lang.management.ManagementFactory;
import java.lang.management.ThreadMXBean;
import java.lang.reflect.Modifier;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.runner.Description;
import org.junit.runner.Runner;
import org.junit.runner.manipulation.Filter;
import org.junit.runner.manipulation.NoTestsRemainException;
import org.junit.runner.notification.RunNotifier;
import org.junit.runner.notification.StoppedByUserException;

/**
 * One execution of tests: those asked for, or all of the program's test classes.
 *
 * <p>The tests run in a thread of their own, which is stopped when a test takes longer than it may.
 * Then the execution ends, or, when "goOn" is wanted, a new thread runs the others.
 */
final class Suite {
    private static final long PATIENCE_MS = 1000;
    private static final int WALL_FACTOR = 4;
    private static final ThreadMXBean THREADS = ManagementFactory.getThreadMXBean();

    private final Program program;
    private final ProgramLoader loader;
    private final Request wanted;
    private final Channel channel;
    private final Map<String, Long> limits = new LinkedHashMap<>();
    private final Map<String, Runner> runners = new HashMap<>();

    Suite(Program program, ProgramLoader loader, Request wanted, Channel channel) {
        this.program = program;
        this.loader = loader;
        this.wanted = wanted;
        this.channel = channel;
        List<String> tests = wanted.all("test");
        List<String> times = wanted.all("limit");
        for (int n = 0; n < tests.size(); n++) {
            limits.put(tests.get(n), Long.parseLong(times.get(n)));
        }
    }

    /** Whether another execution may follow in this virtual machine. */
    boolean run() throws InterruptedException {
        Reporter reporter = new Reporter(program, channel, wanted, wanted.has("coverage"));
        Thread thread = start(reporter);
        while (!isOverInTime(thread, reporter)) {
            boolean wasInTest = reporter.giveUp(wanted.has("goOn"));
            if (!isStopped(thread)) {
                reporter.end();
                return false;
            }
            if (!wasInTest || !wanted.has("goOn")) {
                break;
            }
            thread = start(reporter);
        }
        reporter.end();
        return true;
    }

    private Thread start(Reporter reporter) {
        RunNotifier notifier = new RunNotifier();
        notifier.addListener(reporter.listener(notifier));
        Thread thread = new Thread(() -> runClasses(notifier, reporter), "tests");
        thread.setContextClassLoader(loader);
        thread.setDaemon(true);
        thread.start();
        return thread;
    }

    /** Whether the thread came to its end before one of its tests ran out of its limit. */
    private boolean isOverInTime(Thread thread, Reporter reporter) throws InterruptedException {
        while (true) {
            thread.join(10);
            if (!thread.isAlive()) {
                return true;
            }
            long cpuMs = THREADS.getThreadCpuTime(thread.getId()) / 1_000_000;
            if (reporter.isOverdue(cpuMs, limits, WALL_FACTOR)) {
                return false;
            }
        }
    }

    @SuppressWarnings({"deprecation", "removal"})
    private static boolean isStopped(Thread thread) throws InterruptedException {
        try {
            thread.stop();
        } catch (UnsupportedOperationException error) {
            return false; // later versions of Java cannot
        }
        thread.join(PATIENCE_MS);
        return !thread.isAlive();
    }

    private void runClasses(RunNotifier notifier, Reporter reporter) {
        try {
            for (String name : classNames()) {
                runners.computeIfAbsent(name, n -> open(n, reporter)); // none for an abstract class
            }
            if (wanted.has("collect")) {
                reporter.collect(runners.values());
            }
            for (String name : classNames()) {
                runClass(name, notifier, reporter);
            }
        } catch (StoppedByUserException stopped) {
            // enough is known
        } catch (ThreadDeath death) {
            // the watcher has said why
        } catch (Throwable error) {
            reporter.crash(error);
        }
    }

    private Set<String> classNames() {
        Set<String> names = new LinkedHashSet<>();
        for (String test : limits.keySet()) {
            names.add(test.substring(0, Math.max(0, test.indexOf("::"))));
        }
        return limits.isEmpty() ? new LinkedHashSet<>(wanted.all("class")) : names;
    }

    /** A class that cannot be loaded is one failing test. */
    private Runner open(String name, Reporter reporter) {
        try {
            Class<?> type = Class.forName(name, false, loader);
            boolean isAbstract = Modifier.isAbstract(type.getModifiers());
            return isAbstract ? null
                    : org.junit.runner.Request.aClass(type).getRunner();
        } catch (ClassNotFoundException | LinkageError error) {
            return new Broken(name, () -> reporter.broken(name, error));
        }
    }

    private void runClass(String name, RunNotifier notifier, Reporter reporter) {
        Runner runner = runners.remove(name);
        if (runner == null) {
            runner = open(name, reporter);
        }
        if (runner == null) {
            return;
        }
        try {
            new Chosen(reporter).apply(runner);
        } catch (NoTestsRemainException none) {
            return;
        }
        runner.run(notifier);
    }

    /** Lets through what was asked for and has not run yet. */
    private final class Chosen extends Filter {
        private final Reporter reporter;

        Chosen(Reporter reporter) {
            this.reporter = reporter;
        }

        @Override
        public boolean shouldRun(Description description) {
            if (description.isSuite()) {
                return description.getChildren().isEmpty()
                        || description.getChildren().stream().anyMatch(this::shouldRun);
            }
            String id = Reporter.id(description);
            return !reporter.hasRun(id) && (limits.isEmpty() || limits.containsKey(id));
        }

        @Override
        public String describe() {
            return "the tests asked for";
        }
    }

    /** A class that JUnit cannot even look into. */
    private static final class Broken extends Runner {
        private final String name;
        private final Runnable action;

        Broken(String name, Runnable action) {
            this.name = name;
            this.action = action;
        }

        @Override
        public Description getDescription() {
            return Description.createSuiteDescription(name);
        }

        @Override
        public void run(RunNotifier notifier) {
            action.run();
        }
    }
}
