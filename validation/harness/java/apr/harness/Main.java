package apr.harness;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;

/**
 * Compiles and tests one version of a program after the other in one virtual machine.
 *
 * <p>Reads requests from standard input (see Request): the first says where the program is, every
 * other one is for an execution of tests. Writes lines of JSON (see Channel), the last one of each
 * execution being "end".
 */
public final class Main {
    private Main() {}

    public static void main(String[] arguments) throws Exception {
        Channel channel = Channel.claimStandardOutput();
        BufferedReader input =
                new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        System.setIn(InputStream.nullInputStream());
        Request place = Request.read(input);
        Program program = new Program(place);
        if (place.has("save")) {
            save(program, Path.of(place.all("save").get(0)));
            return;
        }
        channel.say("ready");
        for (Request wanted = Request.read(input); wanted != null; wanted = Request.read(input)) {
            boolean isUsable = execute(program, wanted, channel);
            if (!isUsable) {
                Runtime.getRuntime().halt(0); // a thread runs on that nobody can stop
            }
        }
        Runtime.getRuntime().halt(0); // the program's own threads and hooks are not waited for
    }

    /** Compiles the whole program into a folder, where later ones find it. */
    private static void save(Program program, Path target) throws IOException {
        Program.Build build = program.build();
        if (build.errors != null) {
            System.err.println(build.errors);
            System.exit(1);
        }
        program.save(build, target);
    }

    /** Whether another execution may follow. */
    private static boolean execute(Program program, Request wanted, Channel channel)
            throws Exception {
        boolean isMeasured = wanted.has("coverage");
        Program.Build build = program.build();
        if (build.errors != null) {
            channel.say("unbuildable", "m", build.errors);
            channel.end(1, false);
            return true;
        }
        try (ProgramLoader loader = program.load(build, isMeasured)) {
            Suite suite = new Suite(program, loader, wanted, channel);
            return suite.run();
        }
    }
}
