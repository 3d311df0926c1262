package apr.harness;

import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Iterator;
import java.util.Map;

/** Writes messages, a line of JSON each; what the program under test prints goes elsewhere. */
final class Channel {
    private final OutputStream output;

    private Channel(OutputStream output) {
        this.output = output;
    }

    /** From now on System.out is standard error. */
    static Channel claimStandardOutput() {
        Channel channel = new Channel(new FileOutputStream(FileDescriptor.out));
        System.setOut(System.err);
        return channel;
    }

    /** A message of a kind with keys and values by turns. */
    synchronized void say(String kind, Object... fields) {
        StringBuilder line = new StringBuilder("{\"k\":");
        write(line, kind);
        for (int n = 0; n < fields.length; n += 2) {
            line.append(',');
            write(line, fields[n]);
            line.append(':');
            write(line, fields[n + 1]);
        }
        byte[] bytes = line.append("}\n").toString().getBytes(StandardCharsets.UTF_8);
        try {
            output.write(bytes);
            output.flush();
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** The last message of an execution; isStopped: tests were left out after a failure. */
    void end(int status, boolean isStopped) {
        say("end", "status", status, "stopped", isStopped);
    }

    private static void write(StringBuilder out, Object value) {
        if (value instanceof Iterable) {
            writeAll(out, ((Iterable<?>) value).iterator());
        } else if (value instanceof Map) {
            writeMap(out, (Map<?, ?>) value);
        } else if (value instanceof Number || value instanceof Boolean) {
            out.append(value);
        } else {
            writeText(out, String.valueOf(value));
        }
    }

    private static void writeAll(StringBuilder out, Iterator<?> values) {
        out.append('[');
        while (values.hasNext()) {
            write(out, values.next());
            out.append(values.hasNext() ? "," : "");
        }
        out.append(']');
    }

    private static void writeMap(StringBuilder out, Map<?, ?> values) {
        String separator = "{";
        for (Map.Entry<?, ?> entry : values.entrySet()) {
            out.append(separator);
            writeText(out, String.valueOf(entry.getKey()));
            out.append(':');
            write(out, entry.getValue());
            separator = ",";
        }
        out.append(values.isEmpty() ? "{}" : "}");
    }

    /** All but plain ASCII is escaped, lone surrogates included. */
    private static void writeText(StringBuilder out, String text) {
        out.append('"');
        for (int n = 0; n < text.length(); n++) {
            char c = text.charAt(n);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c >= ' ' && c <= '~') {
                out.append(c);
            } else {
                out.append(String.format("\\u%04x", (int) c));
            }
        }
        out.append('"');
    }
}
