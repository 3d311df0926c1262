package apr.harness;

import org.objectweb.asm.ClassReader;
import org.objectweb.asm.ClassWriter;
import org.objectweb.asm.Opcodes;
import org.objectweb.asm.tree.AbstractInsnNode;
import org.objectweb.asm.tree.ClassNode;
import org.objectweb.asm.tree.InsnList;
import org.objectweb.asm.tree.LdcInsnNode;
import org.objectweb.asm.tree.LineNumberNode;
import org.objectweb.asm.tree.MethodInsnNode;
import org.objectweb.asm.tree.MethodNode;

/** Makes the program's own classes report each line when it begins, a line that crashes included. */
final class Instrumenter {
    private final Program program;

    Instrumenter(Program program) {
        this.program = program;
    }

    /** The class with probes, or as it is when it was not made of the program's sources. */
    byte[] instrument(byte[] bytes) {
        ClassNode node = new ClassNode();
        new ClassReader(bytes).accept(node, 0);
        int slash = node.name.lastIndexOf('/');
        String packageName = slash < 0 ? "" : node.name.substring(0, slash).replace('/', '.');
        String path = node.sourceFile == null ? null : program.sourcePath(packageName, node.sourceFile);
        if (path == null) {
            return bytes;
        }
        for (MethodNode method : node.methods) {
            addProbes(method, path);
        }
        ClassWriter writer = new ClassWriter(ClassWriter.COMPUTE_MAXS);
        node.accept(writer);
        return writer.toByteArray();
    }

    private static void addProbes(MethodNode method, String path) {
        String probe = method.name.equals("<clinit>") ? "initialized" : "hit";
        for (AbstractInsnNode at : method.instructions.toArray()) {
            if (at instanceof LineNumberNode) {
                insert(method.instructions, at, path + ":" + ((LineNumberNode) at).line, probe);
            }
        }
    }

    /** Before the line's first real instruction: stack frames stand in front of that. */
    private static void insert(InsnList code, AbstractInsnNode line, String name, String probe) {
        AbstractInsnNode first = line.getNext();
        while (first != null && first.getOpcode() < 0) {
            first = first.getNext();
        }
        if (first != null) {
            code.insertBefore(first, new LdcInsnNode(Lines.number(name)));
            code.insertBefore(first, new MethodInsnNode(
                    Opcodes.INVOKESTATIC, "apr/harness/Lines", probe, "(I)V", false));
        }
    }
}
