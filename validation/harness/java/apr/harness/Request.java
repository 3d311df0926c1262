package apr.harness;

import java.io.BufferedReader;
import java.io.IOException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Lines of a key and values with tabs between them, up to an empty line. */
final class Request {
    private final Map<String, List<String>> values = new LinkedHashMap<>();

    /** The next request; null at the end of the input. */
    static Request read(BufferedReader input) throws IOException {
        Request request = new Request();
        for (String line = input.readLine(); line != null; line = input.readLine()) {
            if (line.isEmpty()) {
                return request;
            }
            String[] fields = line.split("\t", -1);
            List<String> known = request.values.computeIfAbsent(fields[0], k -> new ArrayList<>());
            for (int n = 1; n < fields.length; n++) {
                known.add(unescape(fields[n]));
            }
        }
        return null;
    }

    List<String> all(String key) {
        return values.getOrDefault(key, List.of());
    }

    boolean has(String key) {
        return values.containsKey(key);
    }

    /** The only value of a key as a number. */
    long number(String key) {
        return Long.parseLong(values.get(key).get(0));
    }

    private static String unescape(String text) {
        StringBuilder plain = new StringBuilder();
        for (int n = 0; n < text.length(); n++) {
            char c = text.charAt(n);
            if (c == '\\') {
                char next = text.charAt(++n);
                c = next == 't' ? '\t' : next == 'n' ? '\n' : next == 'r' ? '\r' : next;
            }
            plain.append(c);
        }
        return plain.toString();
    }
}
