#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""The documents say what the programs do: options, errors, names of files, links, shell sessions."""
import errno
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

PROGRAMS = [os.path.abspath(program) for program in sys.argv[1:]]
del sys.argv[1:]
BMSFS = PROGRAMS[0]
ROOT = Path(__file__).resolve().parents[2]
MOUNT = "/mnt/bms"  # what the documents call the mount point
PATIENCE = 60
MANUAL = sorted((ROOT / "docs").glob("*.[1-8]"))
PAGES = {program: page for program in PROGRAMS for page in MANUAL
         if page.stem == os.path.basename(program)}
MARKDOWN = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "data").rglob("*.md")])


def help_of(program):
    return subprocess.run([program, "--help"], capture_output=True, text=True, timeout=PATIENCE,
                          check=True).stdout


def plain(mdoc):
    """The words of a piece of mdoc, without its macros."""
    text = re.sub(r"^\.[A-Z][a-z] ", "", mdoc, flags=re.M)
    return re.sub(r" ([.,;:])", r"\1", " ".join(text.split()))


def items(page, *macros):
    """Maps what follows .It MACRO to the text of that item."""
    found = {}
    pattern = rf"^\.It (?:{'|'.join(macros)}) (.*)\n((?:(?!\.(?:It|El)).*\n)*)"
    for head, text in re.findall(pattern, page, flags=re.M):
        found[head] = text
    return found


def section(page, name):
    return re.search(rf"^\.Sh {name}\n((?:(?!\.Sh ).*\n)*)", page, flags=re.M).group(1)


def table(markdown, first):
    """Rows of the Markdown table whose first head is @first, as lists of cells."""
    match = re.search(rf"^\| {first} \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", markdown, flags=re.M)
    return [[cell.strip() for cell in line.strip("|").split(" |")]
            for line in match.group(1).splitlines()]


def pattern_of(text):
    """A regular expression for what printf() makes of a format."""
    return "".join(".*" if part.startswith("%") else re.escape(part)
                   for part in re.split(r"(%[-.*0-9]*[hlz]*[a-z])", text))


def prose(markdown):
    return re.sub(r"^```.*?^```$", "", markdown, flags=re.M | re.S)


class Options(unittest.TestCase):
    def flags_of_help(self, program):
        lines = [line for line in help_of(program).splitlines() if line.startswith("  -")]
        return {flag for line in lines
                for flag in re.findall(r"(?<!\S)--?[a-zA-Z0-9][a-z]*", re.split(r"\s{2,}", line)[1])}

    def test_flags(self):
        for program, page in PAGES.items():
            heads = items(page.read_text(), "Fl")
            shown = {"-" + flag for head in heads
                     for flag in re.findall(r"(?:^|Fl )(-?[a-zA-Z0-9]+)", head)}
            self.assertEqual(shown, self.flags_of_help(program), page)

    def options_of_help(self):
        """Maps NAME to its default, in words, or None."""
        found = {}
        for line in help_of(BMSFS).split("OPTIONS, with")[1].splitlines():
            match = re.match(r"  (\w+)(?:=\S+)?  .*?(?:\[([^\[]*)\])?$", line)
            if match:
                found[match[1]] = match[2]
        return found

    def test_mount_options(self):
        heads = items(section(PAGES[BMSFS].read_text(), "MOUNT OPTIONS"), "Cm")
        shown = {}
        for head, text in heads.items():
            match = re.search(r"Default: (.*)\.$", plain(text))
            shown[head.split()[0]] = match[1] if match else None
        self.assertEqual(shown, self.options_of_help())

    def test_readme(self):
        known = self.options_of_help()
        for name, default, *_ in table((ROOT / "README.md").read_text(), "option"):
            name = name.strip("`").split("=")[0]
            self.assertIn(name, known)
            if default and default != "by model":
                self.assertEqual(default, known[name], name)

    def test_lint(self):
        if not shutil.which("mandoc"):
            self.skipTest("there is no mandoc here")
        for page in MANUAL:
            lint = subprocess.run(["mandoc", "-T", "lint", "-W", "warning", str(page)],
                                  capture_output=True, text=True, timeout=PATIENCE, check=False)
            self.assertEqual(lint.stdout, "")


    def test_man_pages_are_not_headed_bsd(self):
        """groff 1.22 calls a system without a name BSD, in the header of a page and in its footer."""
        if not shutil.which("groff"):
            self.skipTest("there is no groff here")
        for page in MANUAL:
            with self.subTest(page.name):
                shown = subprocess.run(["groff", "-Tascii", "-mandoc", "-P-c", str(page)],
                                       capture_output=True, text=True, timeout=PATIENCE,
                                       check=True)
                self.assertEqual(shown.stderr, "")
                lines = shown.stdout.strip().splitlines()
                name, number = page.name.rsplit(".", 1)
                self.assertRegex(lines[0], rf"^{re.escape(name.upper())}\({number}\) .* Manual +")
                self.assertRegex(lines[-1], r"^Linux +\w+ \d+, \d{4} ")
                self.assertNotIn("BSD", lines[0] + lines[-1])


class Errors(unittest.TestCase):
    def test_same_in_both(self):
        readme = {row[0].strip("`"): row[1].replace("`", "")
                  for row in table((ROOT / "README.md").read_text(), "errno")}
        errors = section(PAGES[BMSFS].read_text(), "ERROR NUMBERS")
        page = {head: plain(text) for head, text in items(errors, "Bq Er").items()}
        self.assertEqual(readme, page)


class Instructions(unittest.TestCase):
    """bmsfs-instructions(5) against the loader of the table."""

    def setUp(self):
        self.page = (ROOT / "docs/bmsfs-instructions.5").read_text()
        self.source = "".join(path.read_text()
                              for path in sorted((ROOT / "src/protocol").glob("table_*.[ch]")))
        self.types = (ROOT / "include/protocol/instruction.h").read_text()
        self.all = self.source + (ROOT / "src/protocol/instruction.c").read_text() + self.types

    def sections(self):
        """For each kind of section its keys, as {name: row}, and its items, as {name: text}."""
        for rows, name in (("row", "INSTRUCTIONS"), ("model", "MODELS"), ("order", "ORDERS")):
            table = re.search(rf"^const struct key {rows}_keys\[\] = {{\n(.*?)^}};", self.source,
                              flags=re.M | re.S)[1]
            keys = {row.split('"')[1]: row for row in re.findall(r'{ \.name = ".*?},', table)}
            shown = {}
            text = re.sub(r"^\.Bl -tag -width \"near.*?^\.El$", lambda part: re.sub(
                r"^\.(?:Bl|It|El).*", "", part[0], flags=re.M), section(self.page, name),
                flags=re.M | re.S)
            for head, words in items(text, "Cm").items():
                for key in head.split(" , "):
                    shown[key] = plain(words)
            yield keys, shown

    def test_keys(self):
        for keys, shown in self.sections():
            self.assertEqual(set(keys), set(shown))
            for key, row in keys.items():
                with self.subTest(key=key):
                    by_model = "per_model" in row or "VARIANT" in row
                    self.assertEqual(by_model, "Can differ by model" in shown[key])
                    self.assertEqual("required" in row, "Required." in shown[key])

    def test_words(self):
        found = 0
        for keys, shown in self.sections():
            for key, row in keys.items():
                for words in re.findall(r"(\w+_names)", row):
                    listed = re.search(rf"\b{words}\[\] = {{(.*?)}}", self.all, re.S)[1]
                    for word in re.findall(r'"(\w+)"', listed):
                        found += 1
                        self.assertRegex(shown[key], rf"\b{word}\b")
        self.assertGreater(found, 15)

    def test_limits(self):
        for kind, index in (("instruction", 0), ("model", 1)):
            struct = re.search(rf"^struct {kind} {{\n(.*?)^}};", self.types, re.M | re.S)[1]
            for name, size in re.findall(r"^\tchar (\w+)\[(\d+)\];", struct, re.M):
                shown = [*self.sections()][index][1]
                if name in shown and kind + name != "modelname":
                    self.assertIn(f"{int(size) - 1} characters at most", shown[name])
        words = plain(self.page)
        for constant, text in (
                ("INSTRUCTION_MAX", "{} instructions"), ("MODEL_MAX", "There can be {} models"),
                ("ORDER_MAX", "{} orders"), ("ORDER_MEMBER_MAX", "2 to {} instructions"),
                ("INSTRUCTION_FIELD_MAX", "between them, {} at most")):
            value = re.search(rf"^#define {constant}\s+(\d+)", self.types, re.M)[1]
            self.assertIn(text.format(value), words)

    def test_diagnostics(self):
        """Each message of the loader and its reader is there, and no others are."""
        pages = self.page + (ROOT / "docs/bmsfs.conf.5").read_text()
        shown = [line.replace("\\&", "") for block in
                 re.findall(r"^\.Bd -literal -compact\n(.*?)^\.Ed$", pages, re.M | re.S)
                 for line in block.splitlines()]
        reader = (ROOT / "src/base/ini.c").read_text().replace(r"\"", "''")
        calls = re.findall(r'(?:parser|ini)_fail\(\s*\w+,\s*[^"]*?((?:"[^"]*"\s*)+)[,)]',
                           self.source.replace("table_parser.h", "") + reader)
        formats = ["".join(re.findall(r'"([^"]*)"', call)).replace("''", '"') for call in calls]
        formats.remove("%s")  # with which ini_read() passes on what a program refuses
        self.assertGreater(len(formats), 40)
        patterns = {text: pattern_of(text) for text in formats}
        for text, pattern in patterns.items():
            self.assertTrue(any(re.fullmatch(pattern, line) for line in shown), text)
        for line in shown:
            self.assertTrue(any(re.fullmatch(pattern, line) for pattern in patterns.values()), line)

    def test_examples(self):
        """What is given as an example is understood."""
        blocks = re.findall(r"^\.Bd -literal -offset indent\n(.*?)^\.Ed$", self.page, re.M | re.S)
        self.assertEqual(len(blocks), 3)
        with tempfile.NamedTemporaryFile("w", suffix=".ini") as file:
            file.write("\n".join(blocks))
            file.flush()
            listed = subprocess.run(
                [BMSFS, "--list", "--category=heater", "-o", f"instructions={file.name}"],
                capture_output=True, text=True, timeout=PATIENCE, check=False)
        self.assertEqual(listed.stderr, "")
        self.assertIn("HSTA", listed.stdout)


class Configurations(unittest.TestCase):
    """The configurations in the documents, as they stand there, are understood."""

    def check(self, text):
        with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
            file.write(text)
            file.flush()
            done = subprocess.run([BMSFS, "-c", file.name, "--list"], capture_output=True,
                                  text=True, timeout=PATIENCE, check=False)
        self.assertEqual(done.stderr, "")

    def test_configuration_of_bmsfs_is_copied_as_documents_print_it(self):
        blocks = [block for document in MARKDOWN for block in re.findall(
            r"^<!-- configuration of bmsfs -->\n```ini\n(.*?)^```$", document.read_text(),
            flags=re.M | re.S)]
        page = section((ROOT / "docs/bmsfs.conf.5").read_text(), "EXAMPLES")
        files = re.search(r"^\.Bd -literal\n(.*?)^\.Ed$", page, re.M | re.S)[1].split("\n\n")
        self.assertEqual((len(blocks), len(files)), (1, 2))
        for text in [*blocks, *files, (ROOT / "data/example.conf").read_text()]:
            self.check(re.sub("^gid = battery$", "gid = 0", text, flags=re.M))


class Simulator(unittest.TestCase):
    def test_how_to_provoke_each_error_is_documented(self):
        program = next(path for path in PROGRAMS if path.endswith("bmsfs-sim"))
        with tempfile.TemporaryDirectory() as folder:
            said = subprocess.run([program, "--unix", f"{folder}/socket", "--control"],
                                  input="help\n", capture_output=True, text=True, check=True,
                                  timeout=PATIENCE).stdout
        listed = re.findall(r"^(put \S+ \S+) +error (\d+) after (\d+) s: (.*)$", said, re.M)
        shown = re.findall(r"^\.It (put \S+ \S+) Ta (\d+) Ta (\d+) s Ta (.*)$",
                           PAGES[program].read_text(), re.M)
        self.assertEqual(len(listed), 6)
        self.assertEqual(shown, listed)
        commands = re.findall(r"^([a-z]+)[ \S]*  +\S", said.split("KIND is")[0], re.M)
        items_of_page = items(section(PAGES[program].read_text(), "DESCRIPTION"), "Cm")
        for command in commands:
            self.assertTrue(any(head.split()[0] == command for head in items_of_page), command)


class Troubles(unittest.TestCase):
    """What docs/troubleshooting.md says that the programs say is in their sources."""

    def setUp(self):
        self.text = (ROOT / "docs/troubleshooting.md").read_text()

    def formats(self):
        """The strings of the source that have two words of their own at least, as patterns."""
        literal = r'"(?:[^"\\\n]|\\.)*"'
        for path in sorted((ROOT / "src").rglob("*.c")):
            for run in re.findall(rf"{literal}(?:\s*{literal})*", path.read_text()):
                text = "".join(re.findall(r'"((?:[^"\\\n]|\\.)*)"', run)).replace('\\"', '"')
                words = re.findall(r"[a-z]+", re.sub(r"%[-.*0-9]*[hlz]*[a-z]", "", text))
                if len(words) >= 2 and len("".join(words)) >= 6:
                    yield pattern_of(text)

    def test_sentences(self):
        patterns = list(self.formats())
        said = re.findall(r"^> (.*)$", self.text, flags=re.M)
        self.assertGreater(len(said), 25)
        for sentence in said:
            whole = [pattern for pattern in patterns
                     if re.fullmatch(rf"(?:[^;]*: )?{pattern}", sentence)]
            self.assertTrue(whole, sentence)

    def test_errors(self):
        pairs = re.findall(r"`([A-Z][\w /-]+)` \(`(E[A-Z]+)`\)", self.text)
        self.assertGreater(len(pairs), 12)
        for words, name in pairs:
            self.assertEqual(os.strerror(getattr(errno, name)), words)
        documented = items(section(PAGES[BMSFS].read_text(), "ERROR NUMBERS"), "Bq Er")
        # Of the kernel's own is the one when nobody serves; a signal is no trouble.
        self.assertEqual({name for _, name in pairs} - {"ENOTCONN"},
                         set(documented) - {"EPERM", "EINTR"})


class Commands(unittest.TestCase):
    """Commands in the documents, as far as they can be judged without running them."""

    def commands(self):
        for document in MARKDOWN:
            text = document.read_text()
            for line in re.findall(r"^    (?:\$ )?(\S.*)$|`([^`\n]+)`", text, flags=re.M):
                yield document, line[0] or line[1]

    def test_options(self):
        flags = Options().flags_of_help(BMSFS)
        names = set(Options().options_of_help())
        found = 0
        for document, line in self.commands():
            for call in re.findall(r"(?:^|[ /])bmsfs ((?:-\S+|[^\s|;&]+)[^|;&]*)", line):
                for flag in re.findall(r"(?<!\S)(--[a-z]+)", call):
                    found += 1
                    self.assertIn(flag, flags, f"{document}: {line}")
            if not re.match(r"-o |(?:.*[ /])?bmsfs ", line):
                continue
            for value in re.findall(r"(?<!\S)-o (\w+)", line):
                found += 1
                self.assertIn(value, names, f"{document}: {line}")
        self.assertGreater(found, 10)

    def test_values_are_written_with_a_newline(self):
        """Without it the result is that of close(); docs/writing.md shows what comes of that."""
        without = re.compile(r"""(?:printf|echo\ -n)\ [^|;&]*>\ ?%s/[A-Z]
                             |write(?:_all|File|FileSync)?\([^()]*(?<!\\n)["']\)
                             |tee\ %s/[A-Z]""" % (MOUNT, MOUNT), re.X)
        found = 0
        for document in [*MARKDOWN, *MANUAL, *(ROOT / "data/examples").iterdir()]:
            if document.name != "writing.md":
                text = document.read_text()
                found += len(re.findall(r"echo [^|\n]*\| (?:sudo )?tee |echo [^|\n]*> ?/mnt", text))
                text = re.sub(r"echo [^|\n]*\| (?:sudo )?tee \S+", "", text)
                self.assertEqual(without.findall(text), [], document)
        self.assertGreater(found, 8)

    def test_syntax(self):
        lines = re.findall(r"^    (\S.*)$", (ROOT / "docs/troubleshooting.md").read_text(), re.M)
        self.assertGreater(len(lines), 25)
        for line in lines:
            done = subprocess.run(["bash", "-n", "-c", line], capture_output=True, text=True,
                                  timeout=PATIENCE, check=False)
            self.assertEqual(done.stderr, "", line)


class Names(unittest.TestCase):
    def test_links(self):
        for document in MARKDOWN:
            for link in re.findall(r"\]\(([^)#\s]+)", document.read_text()):
                if not re.match(r"[a-z]+:", link):
                    self.assertTrue((document.parent / link).exists(), f"{document}: {link}")

    def test_files(self):
        folders = r"(?:src|include|tests|scripts|docs|data|\.ci)/"
        pages = [*MARKDOWN, *MANUAL, *(ROOT / "docs/ABI").iterdir()]
        for document in pages:
            for name in re.findall(rf"(?<![\w./-]){folders}[\w./-]*[\w/]", document.read_text()):
                if not name.startswith("tests/ROOM"):
                    self.assertTrue((ROOT / name).exists(), f"{document}: {name}")

    def test_tree(self):
        """What documents call a file of the mount is in docs/ABI, and what is there is in the page."""
        abi = set()
        for document in (ROOT / "docs/ABI").iterdir():
            abi |= set(re.findall(r"^What:\t+MOUNTPOINT/(\S+)", document.read_text(), flags=re.M))
        folders = {str(folder) for name in abi for folder in Path(name).parents}
        letters = {"units": "N", "cells": "M", "sensors": "K"}

        def known(name):
            parts = name.rstrip("/").split("/")
            if parts[0].isdigit():  # the address of one of several
                parts = parts[1:]
            if parts[:1] == ["cells"] and len(parts) > 1:
                parts = ["units", "1", *parts]
            for at in range(1, len(parts)):
                if parts[at].isdigit():
                    parts[at] = letters.get(parts[at - 1], parts[at])
            return not parts or "/".join(parts) in abi | folders

        names = []
        for document in [ROOT / "README.md", ROOT / "docs/recipes.md",
                         ROOT / "docs/troubleshooting.md", *PAGES.values()]:
            text = document.read_text()
            names += re.findall(rf"{MOUNT}/(\w(?:[\w/.]*[\w/])?)", text)
            names += re.findall(r"`((?:pack|units|cells|bus)/[\w/]+)`", text)
            names += re.findall(r"^\.(?:It )?Pa ((?:pack|units|cells|bus)/[\w/]*)", text, flags=re.M)
        self.assertGreater(len(names), 40)
        for name in names:
            self.assertTrue(known(name), f"{name} is not in docs/ABI")
        page = PAGES[BMSFS].read_text()
        for name in abi:
            if "/" in name:
                self.assertRegex(page, rf"Pa {name}\b")


class Sessions(unittest.TestCase):
    """The sessions of the documents, each below a comment that says how its output is compared."""

    def setUp(self):
        try:
            os.close(os.open("/dev/fuse", os.O_RDWR))
        except OSError as error:
            self.skipTest(f"/dev/fuse: {error.strerror}")
        self.folder = tempfile.mkdtemp()
        self.mount = os.path.join(self.folder, "bms")
        os.mkdir(self.mount)
        self.addCleanup(shutil.rmtree, self.folder)
        self.addCleanup(self.unmount)

    def unmount(self):
        if os.path.ismount(self.mount):
            subprocess.run(["fusermount3", "-u", self.mount], check=True, timeout=PATIENCE)

    def run_command(self, command):
        """Returns its status and output. A file takes that, which a daemon may keep open."""
        path = f"{os.path.dirname(BMSFS)}:{os.environ.get('PATH', '/usr/bin:/bin')}"
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                ["bash", "-c", command.replace(MOUNT, self.mount)], stdin=subprocess.DEVNULL,
                stdout=output, stderr=output, timeout=PATIENCE, check=False, cwd=ROOT,
                env={**os.environ, "PATH": path, "LC_ALL": "C"})
            output.seek(0)
            said = output.read()
        return done.returncode, re.sub(r"^bash: line \d+: ", "bash: ", said, flags=re.M)

    def compare(self, command, shown, exact):
        program = command.split()[0]
        if program in ("getfattr", "jq") and not shutil.which(program):
            return
        status, said = self.run_command(command)
        said = said.replace(self.mount, MOUNT)
        fails = bool(re.search(rf"^(?:bash|{re.escape(program)}): .*: [A-Z]", shown, flags=re.M))
        self.assertEqual(status != 0, fails, f"{command}: status {status}: {said}")
        # How old a sentence of bus/last_error is depends on how busy this machine is.
        said, shown = (re.sub(r"\(\d+ s ago\)", "(# s ago)", text) for text in (said, shown))
        words, wanted = said.split(), shown.split()
        if command.startswith("ls "):  # in columns on a terminal only
            words, wanted = sorted(words), sorted(wanted)
        if not exact:
            words, wanted = ([re.sub(r"-?\d+(\.\d+)?", "#", word) for word in all_words]
                             for all_words in (words, wanted))
        self.assertEqual(words, wanted, command)

    def test_sessions(self):
        for document in MARKDOWN:
            with self.subTest(document=document.name):
                self.run_document(document.read_text())

    def test_troubleshooting(self):
        """What its commands look at is there: those that only look, on a mount that is well."""
        self.run_command(f"bmsfs sim: {MOUNT}")
        lines = re.findall(r"^    (\S.*)$", (ROOT / "docs/troubleshooting.md").read_text(), re.M)
        ran = 0
        for line in lines:
            commands = [shlex.split(command) for command in re.split(r"; | \| ", line)]
            if any(words[0] not in ("cat", "ls", "findmnt", "id", "grep", "bmsfs") or
                   "--probe" in words for words in commands):
                continue
            if any(re.match(r"/(?!mnt/bms)", word) for words in commands for word in words):
                continue
            ran += 1
            status, said = self.run_command(line)
            self.assertEqual(status, 0, f"{line}: {said}")
        self.assertGreater(ran, 8)

    def run_document(self, text):
        blocks = re.findall(r"^<!-- sim: (exact|shape) -->\n```console\n(.*?)^```$", text,
                            flags=re.M | re.S)
        self.assertEqual(len(blocks), len(re.findall("^```console", text, flags=re.M)),
                         "a console block without <!-- sim: exact --> or <!-- sim: shape -->")
        for kind, block in blocks:
            steps = re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, flags=re.M)
            self.assertTrue(steps)
            for command, shown in steps:
                with self.subTest(command=command):
                    self.compare(command, shown, kind == "exact")
            self.unmount()


if __name__ == "__main__":
    unittest.main(verbosity=2)
