package apr.harness;

import java.util.ArrayList;
import java.util.BitSet;
import java.util.List;

/** The lines that were executed since somebody last asked; instrumented classes report here. */
public final class Lines {
    private static final BitSet SEEN = new BitSet();
    private static final BitSet INITIALIZED = new BitSet();
    private static final List<String> NAMES = new ArrayList<>();

    private Lines() {}

    /** A number for a line of a file, written as path:line. */
    static synchronized int number(String name) {
        NAMES.add(name);
        return NAMES.size() - 1;
    }

    static String name(int number) {
        return NAMES.get(number);
    }

    public static synchronized void hit(int number) {
        SEEN.set(number);
    }

    /** A line that runs once, whichever test happens to be the first to need its class. */
    public static synchronized void initialized(int number) {
        INITIALIZED.set(number);
    }

    /** The lines hit since the last call. */
    static synchronized BitSet take() {
        return takeFrom(SEEN);
    }

    /** The lines of initializers that ran since the last call. */
    static synchronized BitSet initializers() {
        return takeFrom(INITIALIZED);
    }

    private static BitSet takeFrom(BitSet lines) {
        BitSet taken = (BitSet) lines.clone();
        lines.clear();
        return taken;
    }
}
