package apr.harness;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.StringWriter;
import java.net.MalformedURLException;
import java.net.URI;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import java.util.zip.CRC32;
import javax.tools.DiagnosticCollector;
import javax.tools.Diagnostic;
import javax.tools.FileObject;
import javax.tools.ForwardingJavaFileManager;
import javax.tools.JavaCompiler;
import javax.tools.JavaFileObject;
import javax.tools.SimpleJavaFileObject;
import javax.tools.StandardJavaFileManager;
import javax.tools.StandardLocation;
import javax.tools.ToolProvider;

/**
 * A program's sources, and the classes that somebody compiled of an earlier version of them.
 *
 * <p>Only what has changed since is compiled, unless other classes can see the change (a constant, a
 * signature): then everything is.
 */
final class Program {
    static final String MANIFEST = "sources.txt";
    private static final int MAX_ERRORS = 4000;

    private final Path root;
    private final List<String> sourceRoots;
    private final List<String> testRoots;
    private final List<String> needed;
    private final List<String> options;
    private final List<File> libraries;
    private final List<File> compilePath = new ArrayList<>();
    private final List<Path> resources;
    private final Path classes;
    private final Map<String, String> compiled = new HashMap<>();
    private final Map<String, Stamp> stamps = new HashMap<>();
    private final JavaCompiler compiler = ToolProvider.getSystemJavaCompiler();
    private final StandardJavaFileManager files;

    Program(Request place) throws IOException {
        String live = System.getenv("APR_SOURCE"); // where tests may write, they run in a copy
        root = Path.of(live == null ? "" : live).toAbsolutePath();
        sourceRoots = place.all("source");
        testRoots = place.all("tests");
        needed = place.all("class");
        options = place.all("javac");
        libraries = place.all("library").stream().map(File::new).collect(Collectors.toList());
        compilePath.addAll(libraries);
        Stream.of(System.getProperty("java.class.path").split(File.pathSeparator)).map(File::new)
                .filter(file -> file.getName().matches("(junit|hamcrest).*")).forEach(compilePath::add);
        resources = place.all("resources").stream().map(root::resolve).collect(Collectors.toList());
        classes = place.has("classes") ? root.resolve(place.all("classes").get(0)) : null;
        files = compiler.getStandardFileManager(null, null, StandardCharsets.UTF_8);
        if (classes != null) {
            for (String line : Files.readAllLines(classes.resolve(MANIFEST))) {
                String[] fields = line.split(" ", 2);
                compiled.put(fields[1], fields[0]);
            }
        }
    }

    /** What compiling has come to: classes by name, or why there are none. */
    static final class Build {
        final Map<String, byte[]> classes = new HashMap<>();
        boolean isWhole;
        String errors;
    }

    private static final class Stamp {
        final FileTime time;
        final long size;
        final String digest;

        Stamp(FileTime time, long size, String digest) {
            this.time = time;
            this.size = size;
            this.digest = digest;
        }
    }

    /** Compiles what differs from the known classes, and all where others would notice that. */
    Build build() throws IOException {
        Map<String, String> now = digests(sourceRoots);
        List<Path> changed = new ArrayList<>();
        now.forEach((path, digest) -> {
            if (!digest.equals(compiled.get(path))) {
                changed.add(root.resolve(path));
            }
        });
        boolean isGone = compiled.keySet().stream().anyMatch(path -> !now.containsKey(path));
        if (classes == null || isGone) {
            return compile(wholeProgram(changed), true);
        }
        Build build = changed.isEmpty() ? new Build() : compile(changed, false);
        return keepsItsShape(build) ? build : compile(wholeProgram(changed), true);
    }

    private boolean keepsItsShape(Build build) throws IOException {
        Set<String> outer = new LinkedHashSet<>();
        for (Map.Entry<String, byte[]> entry : build.classes.entrySet()) {
            String name = entry.getKey();
            Path known = classFile(name);
            if (!Shape.isNamed(name)) {
                continue;
            }
            if (!Files.isRegularFile(known)
                    || !Shape.of(entry.getValue()).equals(Shape.of(Files.readAllBytes(known)))) {
                return false;
            }
            if (!name.contains("$")) {
                outer.add(name);
            }
        }
        return build.errors != null || innerClasses(outer).allMatch(build.classes::containsKey);
    }

    /** The named classes inside of others, as they were compiled of the earlier version. */
    private Stream<String> innerClasses(Set<String> outer) {
        return outer.stream().flatMap(name -> {
            String[] files = classFile(name).getParent().toFile().list();
            String start = name.substring(name.lastIndexOf('.') + 1) + "$";
            String prefix = name.substring(0, name.lastIndexOf('.') + 1);
            return Stream.of(files == null ? new String[0] : files)
                    .filter(file -> file.startsWith(start) && file.endsWith(".class"))
                    .map(file -> prefix + file.substring(0, file.length() - ".class".length()));
        }).filter(Shape::isNamed);
    }

    private Path classFile(String name) {
        return classes.resolve(name.replace('.', '/') + ".class");
    }

    /** Sources by path, relative to the root, with a digest of their contents. */
    private Map<String, String> digests(List<String> folders) throws IOException {
        Map<String, String> found = new TreeMap<>();
        for (String folder : folders) {
            for (Path file : javaFiles(root.resolve(folder))) {
                String path = root.relativize(file).toString();
                found.put(path, digest(path, file));
            }
        }
        return found;
    }

    private String digest(String path, Path file) throws IOException {
        FileTime time = Files.getLastModifiedTime(file);
        long size = Files.size(file);
        Stamp known = stamps.get(path);
        if (known == null || known.size != size || !known.time.equals(time)) {
            CRC32 sum = new CRC32();
            sum.update(Files.readAllBytes(file));
            known = new Stamp(time, size, Long.toHexString(sum.getValue()));
            stamps.put(path, known);
        }
        return known.digest;
    }

    private static List<Path> javaFiles(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> all = Files.walk(folder)) {
            return all.filter(p -> p.toString().endsWith(".java")).sorted().collect(Collectors.toList());
        }
    }

    /** The changed files and the named classes; what they use is found along the source path. */
    private Set<Path> wholeProgram(List<Path> changed) {
        Set<Path> found = new LinkedHashSet<>(classes == null ? List.of() : changed);
        for (String name : needed) {
            Path file = sourceFile(name);
            if (file != null) {
                found.add(file);
            }
        }
        return found;
    }

    /** Where a class was written down; null when in none of our files. */
    private Path sourceFile(String className) {
        String outer = className.contains("$") ? className.substring(0, className.indexOf('$')) : className;
        String path = outer.replace('.', '/') + ".java";
        return Stream.concat(sourceRoots.stream(), testRoots.stream())
                .map(folder -> root.resolve(folder).resolve(path))
                .filter(Files::isRegularFile)
                .findFirst().orElse(null);
    }

    /** The path, relative to the root, of a file of a package in the sources; null: none is there. */
    String sourcePath(String packageName, String fileName) {
        String path = packageName.isEmpty() ? fileName : packageName.replace('.', '/') + "/" + fileName;
        for (String folder : sourceRoots) {
            if (Files.isRegularFile(root.resolve(folder).resolve(path))) {
                return folder.equals(".") ? path : folder + "/" + path;
            }
        }
        return null;
    }

    private Build compile(Collection<Path> units, boolean isWhole) throws IOException {
        Build build = new Build();
        build.isWhole = isWhole;
        DiagnosticCollector<JavaFileObject> found = new DiagnosticCollector<>();
        List<File> path = new ArrayList<>();
        if (!build.isWhole) {
            path.add(classes.toFile());
        }
        path.addAll(compilePath);
        files.setLocation(StandardLocation.CLASS_PATH, path);
        List<File> sources = Stream.concat(sourceRoots.stream(), testRoots.stream())
                .map(folder -> root.resolve(folder).toFile()).collect(Collectors.toList());
        files.setLocation(StandardLocation.SOURCE_PATH, build.isWhole ? sources : List.of());
        List<String> flags = new ArrayList<>(List.of("-g", "-nowarn", "-proc:none", "-Xlint:none"));
        flags.addAll(options);
        boolean isBuilt = compiler.getTask(
                new StringWriter(), new Memory(files, build.classes), found, flags, null,
                files.getJavaFileObjectsFromPaths(units)).call();
        if (!isBuilt) {
            build.errors = describe(found);
        }
        return build;
    }

    private static String describe(DiagnosticCollector<JavaFileObject> found) {
        String text = found.getDiagnostics().stream()
                .filter(d -> d.getKind() == Diagnostic.Kind.ERROR)
                .map(d -> (d.getSource() == null ? "" : Path.of(d.getSource().getName()).getFileName()
                        + ":" + d.getLineNumber() + ": ") + d.getMessage(null))
                .collect(Collectors.joining("\n"));
        String said = text.isEmpty() ? "the compiler failed" : text;
        return said.length() > MAX_ERRORS ? said.substring(0, MAX_ERRORS) : said;
    }

    /** Writes the classes and what they were made of into a folder, for `classes` of later ones. */
    void save(Build build, Path target) throws IOException {
        for (Map.Entry<String, byte[]> entry : build.classes.entrySet()) {
            Path file = target.resolve(entry.getKey().replace('.', '/') + ".class");
            Files.createDirectories(file.getParent());
            Files.write(file, entry.getValue());
        }
        List<String> lines = new ArrayList<>();
        digests(sourceRoots).forEach((path, digest) -> lines.add(digest + " " + path));
        Files.write(target.resolve(MANIFEST), lines);
    }

    ProgramLoader load(Build build, boolean isMeasured) throws MalformedURLException {
        List<URL> places = new ArrayList<>();
        for (Path folder : resources) {
            places.add(folder.toUri().toURL());
        }
        if (!build.isWhole && classes != null) {
            places.add(classes.toUri().toURL());
        }
        for (File library : libraries) {
            places.add(library.toURI().toURL());
        }
        return new ProgramLoader(places, build.classes, isMeasured ? new Instrumenter(this) : null);
    }

    /** Keeps the compiler's classes in memory. */
    private static final class Memory extends ForwardingJavaFileManager<StandardJavaFileManager> {
        private final Map<String, byte[]> written;

        Memory(StandardJavaFileManager files, Map<String, byte[]> written) {
            super(files);
            this.written = written;
        }

        @Override
        public JavaFileObject getJavaFileForOutput(
                Location location, String name, JavaFileObject.Kind kind, FileObject sibling) {
            return new SimpleJavaFileObject(URI.create("memory:///" + name.replace('.', '/')), kind) {
                @Override
                public OutputStream openOutputStream() {
                    return new ByteArrayOutputStream() {
                        @Override
                        public void close() {
                            written.put(name, toByteArray());
                        }
                    };
                }
            };
        }
    }
}
