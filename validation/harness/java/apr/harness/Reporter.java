package apr.harness;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import org.junit.runner.Description;
import org.junit.runner.Runner;
import org.junit.runner.notification.Failure;
import org.junit.runner.notification.RunListener;
import org.junit.runner.notification.RunNotifier;

/** Tells what happens to each test; what a test does after it was given up is not heard. */
final class Reporter {
    private static final int MAX_MESSAGE = 4000;
    private static final int MAX_FRAMES = 60;
    private static final int WALL_MS = 5000; // what a busy machine may take away from any test

    private final Program program;
    private final Channel channel;
    private final long thorough;
    private final long defaultLimitMs;
    private final long loadingMs;
    private final boolean isMeasured;
    private final Set<String> done = new LinkedHashSet<>();
    private String running;
    private Failure failure;
    private boolean isAssumption;
    private long startedNs = System.nanoTime();
    private long cpuMsAtStart;
    private int failed;
    private boolean isStopped;
    private volatile int generation;

    Reporter(Program program, Channel channel, Request wanted, boolean isMeasured) {
        this.program = program;
        this.channel = channel;
        this.thorough = wanted.has("thorough") ? wanted.number("thorough") : Long.MAX_VALUE;
        this.defaultLimitMs = wanted.number("testLimit");
        this.loadingMs = wanted.number("loadingLimit");
        this.isMeasured = isMeasured;
        done.addAll(wanted.all("exclude"));
    }

    /** A test's name: its class, two colons, its method with parameters. */
    static String id(Description test) {
        String method = test.getMethodName();
        return method == null ? test.getDisplayName() : test.getClassName() + "::" + method;
    }

    synchronized boolean hasRun(String id) {
        return done.contains(id);
    }

    /** The names of all tests, before any of them runs. */
    synchronized void collect(Collection<Runner> runners) {
        Set<String> ids = new LinkedHashSet<>();
        runners.forEach(runner -> addLeaves(runner.getDescription(), ids));
        channel.say("collected", "ids", ids);
    }

    private void addLeaves(Description description, Set<String> ids) {
        if (description.isTest() && !done.contains(id(description))) {
            ids.add(id(description));
        }
        description.getChildren().forEach(child -> addLeaves(child, ids));
    }

    RunListener listener(RunNotifier notifier) {
        int mine = ++generation;
        return new RunListener() {
            /** A thread that was given up goes no further. */
            private boolean isHeard() {
                if (mine != generation) {
                    notifier.pleaseStop();
                }
                return mine == generation;
            }

            @Override
            public void testStarted(Description test) {
                if (isHeard()) {
                    start(id(test));
                }
            }

            @Override
            public void testFailure(Failure seen) {
                if (isHeard()) {
                    fail(seen);
                }
            }

            @Override
            public void testAssumptionFailure(Failure seen) {
                isAssumption |= isHeard();
            }

            @Override
            public void testIgnored(Description test) {
                if (isHeard()) {
                    skip(id(test));
                }
            }

            @Override
            public void testFinished(Description test) {
                if (isHeard() && finish(id(test))) {
                    notifier.pleaseStop();
                }
            }
        };
    }

    private synchronized void start(String id) {
        if (done.contains(id)) {
            return; // a second run of the same test through another suite adds nothing
        }
        running = id;
        failure = null;
        isAssumption = false;
        startedNs = System.nanoTime();
        cpuMsAtStart = -1;
        if (isMeasured) {
            Lines.take();
        }
        channel.say("start", "id", id);
    }

    private synchronized void fail(Failure seen) {
        String id = id(seen.getDescription());
        if (id.equals(running)) {
            failure = failure == null ? seen : failure;
        } else {
            breakAll(seen.getDescription(), seen.getException());
        }
    }

    /** What fails before a class's first test fails all of them; after the last, the class itself. */
    private void breakAll(Description group, Throwable error) {
        Set<String> ids = new LinkedHashSet<>();
        addLeaves(group, ids);
        (ids.isEmpty() ? Set.of(id(group)) : ids).forEach(id -> broken(id, error));
    }

    /** Something fails outside of a test, such as the preparation of a whole class. */
    synchronized void broken(String id, Throwable error) {
        if (done.add(id)) {
            channel.say("start", "id", id);
            report(id, "error", 0, error);
        }
    }

    private synchronized void skip(String id) {
        if (done.add(id)) {
            channel.say("start", "id", id);
            report(id, "skipped", 0, null);
        }
    }

    /** Whether it is enough. */
    private synchronized boolean finish(String id) {
        if (!id.equals(running)) {
            return false;
        }
        running = null;
        done.add(id);
        if (isMeasured) {
            sayCovered(id, Lines.take());
            sayCovered("", Lines.initializers());
        }
        Throwable error = failure == null ? null : failure.getException();
        String outcome = error == null ? (isAssumption ? "skipped" : "passed")
                : error instanceof AssertionError ? "failed" : "error";
        report(id, outcome, System.nanoTime() - startedNs, error);
        startedNs = System.nanoTime();
        cpuMsAtStart = -1;
        isStopped = failed > 0 && done.size() >= thorough;
        return isStopped;
    }

    private void report(String id, String outcome, long ns, Throwable error) {
        failed += error == null ? 0 : 1;
        List<List<Object>> frames = new ArrayList<>();
        int progress = 0;
        StackTraceElement[] trace = error == null ? new StackTraceElement[0] : error.getStackTrace();
        String owner = id.contains("::") ? id.substring(0, id.indexOf("::")) : id;
        for (StackTraceElement at : trace) {
            if (progress == 0 && at.getClassName().equals(owner)) {
                progress = Math.max(0, at.getLineNumber());
            }
            addFrame(frames, at);
        }
        channel.say("test", "id", id, "o", outcome, "d", ns / 1e9, "m", message(error),
                "p", progress, "f", frames);
    }

    /** Frames of the program itself; the outermost comes first. */
    private void addFrame(List<List<Object>> frames, StackTraceElement at) {
        if (at.getFileName() == null || at.getLineNumber() <= 0 || frames.size() >= MAX_FRAMES) {
            return;
        }
        int dot = at.getClassName().lastIndexOf('.');
        String packageName = dot < 0 ? "" : at.getClassName().substring(0, dot);
        String path = program.sourcePath(packageName, at.getFileName());
        if (path != null) {
            frames.add(0, List.of(path, at.getLineNumber(), at.getMethodName()));
        }
    }

    private static String message(Throwable error) {
        if (error == null) {
            return "";
        }
        String text;
        try {
            text = error.toString();
        } catch (Throwable worse) {
            text = error.getClass().getName();
        }
        return text.length() > MAX_MESSAGE ? text.substring(0, MAX_MESSAGE) : text;
    }

    /** At once, as a later test may end the machine; the lines of initializers belong to no test. */
    private void sayCovered(String test, BitSet lines) {
        Map<String, List<Integer>> byPath = new TreeMap<>();
        lines.stream().forEach(number -> {
            String name = Lines.name(number);
            int colon = name.lastIndexOf(':');
            byPath.computeIfAbsent(name.substring(0, colon), path -> new ArrayList<>())
                    .add(Integer.valueOf(name.substring(colon + 1)));
        });
        channel.say("covered", "id", test, "lines", byPath);
    }

    /** Whether what runs now has run for too long, in CPU time or, much longer, on the clock. */
    synchronized boolean isOverdue(long cpuMs, Map<String, Long> limits, int wallFactor) {
        if (cpuMsAtStart < 0) {
            cpuMsAtStart = cpuMs;
        }
        long limitMs = running == null ? loadingMs : limits.getOrDefault(running, defaultLimitMs);
        long wallMs = (System.nanoTime() - startedNs) / 1_000_000;
        return cpuMs - cpuMsAtStart > limitMs || wallMs > wallFactor * limitMs + WALL_MS;
    }

    /** Ends the story of the running test, and of its thread; whether there was one. */
    synchronized boolean giveUp(boolean goesOn) {
        generation++;
        boolean wasInTest = running != null;
        isStopped = !goesOn || !wasInTest;
        if (wasInTest && isMeasured) {
            sayCovered(running, Lines.take());
        }
        if (wasInTest) {
            channel.say("test", "id", running, "o", "timeout", "d",
                    (System.nanoTime() - startedNs) / 1e9, "m", "ran out of time", "p", 0,
                    "f", List.of());
            done.add(running);
            failed++;
            running = null;
        }
        startedNs = System.nanoTime();
        cpuMsAtStart = -1;
        return wasInTest;
    }

    synchronized void crash(Throwable error) {
        failed++;
        channel.say("unbuildable", "m", "the tests cannot be loaded: " + message(error));
    }

    synchronized void end() {
        generation++;
        channel.end(failed > 0 ? 1 : 0, isStopped);
    }
}
