package apr.harness;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.util.List;
import java.util.Map;

/**
 * Loads one version of the program, apart from all others and from the harness.
 *
 * <p>Of this machine's own classes it sees the platform, JUnit and the probes of coverage.
 */
final class ProgramLoader extends URLClassLoader {
    private final Map<String, byte[]> compiled;
    private final Instrumenter instrumenter;

    /** Without an instrumenter nothing is measured. */
    ProgramLoader(List<URL> places, Map<String, byte[]> compiled, Instrumenter instrumenter) {
        super(places.toArray(new URL[0]), new Shared());
        this.compiled = compiled;
        this.instrumenter = instrumenter;
    }

    @Override
    protected Class<?> findClass(String name) throws ClassNotFoundException {
        byte[] bytes = compiled.get(name);
        if (bytes == null && instrumenter == null) {
            return super.findClass(name);
        }
        if (bytes == null) {
            bytes = read(name);
        }
        byte[] used = instrumenter == null ? bytes : instrumenter.instrument(bytes);
        return defineClass(name, used, 0, used.length);
    }

    private byte[] read(String name) throws ClassNotFoundException {
        try (InputStream stream = getResourceAsStream(name.replace('.', '/') + ".class")) {
            if (stream == null) {
                throw new ClassNotFoundException(name);
            }
            return stream.readAllBytes();
        } catch (IOException error) {
            throw new ClassNotFoundException(name, error);
        }
    }

    private static final class Shared extends ClassLoader {
        private static final List<String> NAMES =
                List.of("org.junit.", "junit.", "org.hamcrest.", "apr.harness.Lines");

        Shared() {
            super(getPlatformClassLoader());
        }

        @Override
        protected Class<?> findClass(String name) throws ClassNotFoundException {
            if (NAMES.stream().noneMatch(name::startsWith)) {
                throw new ClassNotFoundException(name);
            }
            return Shared.class.getClassLoader().loadClass(name);
        }
    }
}
