package apr.harness;

import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import org.objectweb.asm.ClassReader;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.tree.ClassNode;
import org.objectweb.asm.tree.FieldNode;
import org.objectweb.asm.tree.MethodNode;

/**
 * What other classes are compiled against: everything that is not private, constants included.
 *
 * <p>Where it stays the same, no other class would be compiled to anything else.
 */
final class Shape {
    private Shape() {}

    static Set<String> of(byte[] bytes) {
        ClassNode node = new ClassNode();
        new ClassReader(bytes).accept(node, ClassReader.SKIP_CODE | ClassReader.SKIP_FRAMES);
        Set<String> parts = new TreeSet<>();
        parts.add(node.access + " " + node.signature + " " + node.superName + node.interfaces);
        for (FieldNode field : node.fields) {
            if (isSeen(field.access)) {
                parts.add(join(field.access, field.name, field.desc, field.signature, field.value));
            }
        }
        for (MethodNode method : node.methods) {
            if (isSeen(method.access)) {
                parts.add(join(method.access, method.name, method.desc, method.signature,
                        method.exceptions, method.annotationDefault));
            }
        }
        return parts;
    }

    /** Whether others can name the class: an anonymous or a local one has a number in its name. */
    static boolean isNamed(String className) {
        int dollar = className.lastIndexOf('$') + 1;
        return dollar == 0 || dollar == className.length()
                || !Character.isDigit(className.charAt(dollar));
    }

    private static boolean isSeen(int access) {
        return (access & (Opcodes.ACC_PRIVATE | Opcodes.ACC_SYNTHETIC)) == 0;
    }

    private static String join(Object... parts) {
        StringBuilder joined = new StringBuilder();
        for (Object part : parts) {
            joined.append(Objects.toString(part)).append(' ');
        }
        return joined.toString();
    }
}
