# SPDX-License-Identifier: LGPL-3.0-or-later
"""The programs that write values, and what strace shows of them.

Each writer sets FILE to 2.75 in its own way. The table of docs/writing.md has a row for each way.
"""
import os
import re
import shutil

HERE = os.path.dirname(os.path.abspath(__file__))
UNIMPORTANT = {"CLOEXEC", "LARGEFILE", "NOCTTY", "NONBLOCK"}  # flags of open() that change no write


class Writer:
    """One program that writes in one way.

    name     of its sequence in writer.c, and of its file in straces/
    row      program and code, as the table of the document has them
    program  what must be installed to run it, None if it is built with the tests
    command  that runs it; FILE stands for the path, LANGUAGE for a compiled program
    """

    def __init__(self, name, row, program, *command):
        self.name, self.row, self.program, self.command = name, row, program, command

    def is_installed(self):
        return not self.program or bool(shutil.which(self.program))

    def arguments(self, path, compiled):
        """The command for @path. @compiled maps a language to the program in it."""
        words = []
        for word in self.command:
            for language, program in compiled.items():
                word = word.replace(language, program)
            words.append(word.replace("FILE", path))
        return words

    def strace(self):
        with open(os.path.join(HERE, "straces", self.name + ".strace"), encoding="utf-8") as file:
            return file.read()


def _shells(kind, code):
    """The same code for three shells."""
    row = ("bash, dash, busybox", code)
    return [Writer(f"{name}-{kind}", row, command[0], *command, "-c", code)
            for name, command in (("bash", ["bash"]), ("dash", ["dash"]),
                                  ("busybox", ["busybox", "sh"]))]


def _shell(name, program, code):
    return Writer(name, (program, code), program, "dash", "-c", code)


def _tmpfiles(name, line):
    return Writer(name, ("systemd-tmpfiles", line), "systemd-tmpfiles",
                  "dash", "-c", f"printf '%s\\n' '{line}' | systemd-tmpfiles --create -")


def _python(name, code):
    return Writer(name, ("Python", code), "python3", "python3", "-c",
                  "import os, sys\n" + code.replace("FILE", "sys.argv[1]"), "FILE")


def _node(name, code):
    return Writer(name, ("Node", code), "node", "node", "-e",
                  "const fs = require('fs')\n" + code.replace("FILE", "process.argv[1]"), "FILE")


def _c(name, code):
    return Writer(name, ("C", code), None, "PROGRAM_IN_C", name, "FILE")


def _rust(name, code):
    return Writer(name, ("Rust", code), "rustc", "PROGRAM_IN_RUST", name, "FILE")


def _go(name, code):
    return Writer(name, ("Go", code), "go", "PROGRAM_IN_GO", name, "FILE")


def _output(name, language, code, program, command):
    """A program that writes to its standard output and ends without closing it."""
    return Writer(name, (language, code + " > FILE"), program, "bash", "-c", command + " > FILE")


WRITERS = [
    *_shells("echo", "echo 2.75 > FILE"),
    *_shells("append", "echo 2.75 >> FILE"),
    *_shells("printf", "printf 2.75 > FILE"),
    *_shells("group", "{ printf 2; printf .75; } > FILE"),
    _shell("coreutils-group", "printf", "{ /usr/bin/printf 2; /usr/bin/printf .75; } > FILE"),
    _shell("tee-line", "tee", "echo 2.75 | tee FILE"),
    _shell("tee", "tee", "printf 2.75 | tee FILE"),
    _shell("dd-line", "dd", "echo 2.75 | dd of=FILE"),
    _shell("dd-bytes", "dd", "printf 2.75 | dd bs=1 of=FILE"),
    _shell("awk-line", "awk", "awk 'BEGIN { print 2.75 > \"FILE\" }'"),
    _shell("awk", "awk", "awk 'BEGIN { printf 2.75 > \"FILE\" }'"),
    _tmpfiles("tmpfiles-line", "w FILE - - - - 2.75\\n"),
    _tmpfiles("tmpfiles", "w FILE - - - - 2.75"),
    _python("python-print", 'with open(FILE, "w") as f: print(2.75, file=f)'),
    _python("python-with", 'with open(FILE, "w") as f: f.write("2.75")'),
    _python("python-unbuffered", 'with open(FILE, "wb", 0) as f: f.write(b"2.75\\n")'),
    _python("python-pieces", 'with open(FILE, "wb", 0) as f: f.write(b"2"); f.write(b".75")'),
    _python("python-line-unclosed", 'open(FILE, "w").write("2.75\\n")'),
    _python("python-unclosed", 'open(FILE, "w").write("2.75")'),
    _python("python-killed", 'f = os.open(FILE, os.O_WRONLY); os.write(f, b"2"); os.kill(os.getpid(), 9)'),
    _node("node-line", 'fs.writeFileSync(FILE, "2.75\\n")'),
    _node("node", 'fs.writeFileSync(FILE, "2.75")'),
    _output("node-output", "Node", 'process.stdout.write("2.75")', "node",
            "node -e 'process.stdout.write(\"2.75\")'"),
    _c("c-line", 'fprintf(f, "%g\\n", 2.75); fclose(f)'),
    _c("c", 'fprintf(f, "%g", 2.75); fclose(f)'),
    _c("c-pieces", 'setvbuf(f, NULL, _IONBF, 0); fputs("2", f); fputs(".75", f)'),
    _output("c-output", "C", 'printf("%g", 2.75)', None, "PROGRAM_IN_C c-output FILE"),
    _rust("rust-line", 'fs::write(FILE, "2.75\\n")'),
    _rust("rust", 'fs::write(FILE, "2.75")'),
    _rust("rust-write-all", 'file.write_all(b"2.75\\n")'),
    _rust("rust-write-macro", 'write!(file, "{}", 2.75)'),
    _rust("rust-writeln-macro", 'writeln!(file, "{}", 2.75)'),
    _go("go-fprintln", "fmt.Fprintln(file, 2.75)"),
    _go("go-fprint", "fmt.Fprint(file, 2.75)"),
    _go("go-writefile-line", 'os.WriteFile(FILE, []byte("2.75\\n"), 0644)'),
    _go("go-writefile", 'os.WriteFile(FILE, []byte("2.75"), 0644)'),
    _output("go-output", "Go", "fmt.Print(2.75)", "go", "PROGRAM_IN_GO go-output FILE"),
]


def _flags(text):
    names = [name.removeprefix("O_") for name in text.split("|")]
    return "|".join(name for name in names if name not in UNIMPORTANT)


# What strace shows of a call on the file, and the step of a sequence that it is.
STEPS = [
    (r"open(?:at)?\(.*\", ([A-Z_|]+).*\) = \d+<FILE>", lambda m: f"open {_flags(m[1])}"),
    (r"(?:dup|dup2|dup3|fcntl)\(\d+<FILE>.*\) = \d+<FILE>", lambda m: "dup"),
    (r"dup[23]\(\d+<(?!FILE>).*, \d+<FILE>.*\) = .*", lambda m: "close"),
    (r"close\(\d+<FILE>\) = 0", lambda m: "close"),
    (r'write\(\d+<FILE>, "(.*)", \d+\) = \d+', lambda m: f"write {m[1]}"),
    (r"\+\+\+ exited with \d+ \+\+\+", lambda m: "exit"),
    (r"\+\+\+ killed by SIG\w+ .*\+\+\+", lambda m: "kill"),
]


def step(call):
    """The step that a call is, or None."""
    for pattern, make in STEPS:
        match = re.fullmatch(pattern, call)
        if match:
            return make(match)
    return None


def sequence(strace):
    """The steps of a file of straces/: lines "PROCESS CALL", 1 being the one that opens."""
    steps = []
    for line in strace.splitlines():
        if line.startswith("#"):
            continue
        process, _, call = line.partition(" ")
        prefix = "" if process == "1" else f"child{int(process) - 1} "
        steps.append(prefix + step(call))
    return "; ".join(steps)
