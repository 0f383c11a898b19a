#!/usr/bin/env python3
# SPDX-License-Identifier: LGPL-3.0-or-later
"""What a shell offers when somebody presses the tabulator key."""
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

BMSFS = Path(os.environ["BMSFS"])
FOLDER = Path(__file__).resolve().parents[2] / "data/completions"
LIBRARY = "/usr/share/bash-completion/bash_completion"
PATIENCE = 60


def help_of(program):
    return subprocess.run([program, "--help"], capture_output=True, text=True, timeout=PATIENCE,
                          check=True).stdout


class Shell(unittest.TestCase):
    """What both shells are asked; offers() gives the whole words that a line can become."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="bmsfs-completions.")
        self.addCleanup(shutil.rmtree, self.folder)
        Path(self.folder, "house.conf").touch()
        Path(self.folder, "place").mkdir()
        self.environment = {"PATH": f"{BMSFS.parent}:/usr/sbin:/usr/bin:/sbin:/bin",
                            "HOME": self.folder, "LC_ALL": "C", "TERM": "dumb"}

    def run_shell(self, arguments, script):
        done = subprocess.run(arguments, input=script, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False,
                              env=self.environment, cwd=self.folder)
        self.assertEqual(done.stderr, "")
        return done.stdout


class Bash(Shell):
    def setUp(self):
        if not os.path.exists(LIBRARY):
            self.skipTest("there is no bash-completion")
        super().setUp()

    def offers(self, line):
        """Bash hands over words split at COMP_WORDBREAKS, and replaces the last one of them."""
        words = re.findall(r"[=:]|[^\s=:]+", line)
        if line[-1] in " ":
            words.append("")
        program = os.path.basename(words[0])
        script = f"""
            . {LIBRARY}
            . {FOLDER}/bmsfs.bash
            compopt() {{ :; }}
            COMP_WORDBREAKS=$' \\t\\n"\\'><=;|&(:'
            COMP_LINE={self.quote(line)} COMP_POINT={len(line)}
            COMP_WORDS=({' '.join(map(self.quote, words))}) COMP_CWORD={len(words) - 1}
            {"_bmsfs" if program == "bmsfs" else "_bmsfs_other"} {program} {self.quote(words[-1])} {self.quote(words[-2])}
            printf '%s\\n' "${{COMPREPLY[@]}}"
        """
        return set(self.run_shell(["bash", "--norc"], script).split("\n")) - {""}

    @staticmethod
    def quote(word):
        return "'" + word.replace("'", "'\\''") + "'"

    def test_flags(self):
        shown = {flag for line in help_of(BMSFS).splitlines() if line.startswith("  -")
                 for flag in re.findall(r"(?<!\S)--?[a-zA-Z][a-z]*=?", line[:25])}
        self.assertEqual(self.offers("bmsfs -"), shown)
        self.assertEqual(self.offers("bmsfs --li"), {"--list"})
        self.assertLessEqual({"--pty", "--fault", "--help"}, self.offers("bmsfs-sim -"))
        for program in ("bmsfs-mqtt", "bmsfs-top"):
            if Path(BMSFS.parent, program).exists():
                self.assertIn("--version", self.offers(f"{program} --v"))

    def test_mount_options(self):
        text = help_of(BMSFS).split("OPTIONS, with")[1]
        shown = {name + ("=" if value else "")
                 for name, value in re.findall(r"^  (\w+)(=\w+)? ", text, re.M)}
        self.assertGreater(len(shown), 15)
        self.assertEqual(self.offers("bmsfs -o "), shown)
        self.assertEqual(self.offers("bmsfs -o ro,ttl"), {"ro,ttl=", "ro,ttl_settings="})

    def test_values(self):
        self.assertEqual(self.offers("bmsfs -o baud="), {"56000", "115200", "38400"})
        self.assertEqual(self.offers("bmsfs -o ro,model=a"), {"auto", "abms"})
        self.assertEqual(self.offers("bmsfs -o model=1q,baud=11"), {"115200"})
        self.assertIn("root", self.offers("bmsfs -o uid=ro"))
        self.assertIn("root", self.offers("bmsfs -o gid=ro"))
        self.assertEqual(self.offers("bmsfs -o instructions=hou"), {"house.conf"})
        self.assertEqual(self.offers("bmsfs --config=hou"), {"house.conf"})
        self.assertEqual(self.offers("bmsfs -c hou"), {"house.conf"})
        self.assertIn("identity", self.offers("bmsfs --list --category="))
        self.assertEqual(self.offers("bmsfs-sim --model a"), {"abms"})
        self.assertEqual(self.offers("bmsfs-sim --fault dr"), {"drop="})

    def test_places(self):
        self.assertLessEqual({"sim:", "tcp:", "unix:"}, self.offers("bmsfs "))
        self.assertEqual(self.offers("bmsfs hou"), {"house.conf"})
        self.assertEqual(self.offers("bmsfs -o ro sim: pl"), {"place"})
        self.assertEqual(self.offers("bmsfs sim: place "), set())


class Zsh(Shell):
    def setUp(self):
        if not shutil.which("zsh"):
            self.skipTest("there is no zsh")
        super().setUp()

    def specs(self, function):
        """What the completion hands over to zsh's own functions."""
        return self.run_shell(["zsh", "-f"], f"""
            _arguments() {{ print -rl -- "$@" }}
            _values() {{ print -rl -- "$@" }}
            _wanted() {{ print -rl -- $found }}
            _call_program() {{ shift; eval "$@" }}
            service=bmsfs
            . {FOLDER}/bmsfs.zsh >/dev/null
            {function}
        """).splitlines()

    def test_flags(self):
        shown = {re.match(r"\*?(-[-a-zA-Z]+)", spec).group(1)
                 for spec in self.specs("_bmsfs") if re.match(r"\*?-\S*\[", spec)}
        wanted = {flag for line in help_of(BMSFS).splitlines() if line.startswith("  -")
                  for flag in re.findall(r"(?<!\S)--?[a-zA-Z][a-z]*", line[:25])}
        self.assertEqual(shown, wanted)
        self.assertIn("-c+[take them from this file; what follows on the line overrides it]"
                      ":FILE:_files", self.specs("_bmsfs"))

    def test_mount_options(self):
        specs = [spec for spec in self.specs("_bmsfs_mount_list") if "[" in spec]
        text = help_of(BMSFS).split("OPTIONS, with")[1]
        self.assertEqual([spec.split("[")[0] for spec in specs],
                         re.findall(r"^  (\w+)(?:=\w+)? ", text, re.M))
        self.assertIn(r"baud[line rate in baud \[56000\]]:RATE:(56000 115200 38400)", specs)
        self.assertIn("ro[nothing can be written]", specs)

    def test_values(self):
        self.assertLessEqual({"auto", "1q", "abms"}, set(self.specs("_bmsfs_of_table model auto")))
        self.assertIn("identity", self.specs("_bmsfs_of_table category"))

    def offers(self, line):
        """What stands on the line after the tabulator key, in a real zsh."""
        script = f"""
            zmodload zsh/zpty
            zpty inner "cd {self.folder}; exec zsh -f -i"
            zpty -w inner "PS1= RPS1= PROMPT_EOL_MARK=; stty rows 50 cols 200; fpath=({self.folder} \\$fpath)"
            zpty -w inner "autoload -Uz compinit; compinit -u -D; bindkey '^G' accept-line"
            zpty -w inner "TRAPEXIT() {{ :; }}; show() {{ print -r -- \\"<\\$BUFFER>\\"; BUFFER=; zle accept-line }}; zle -N show; bindkey '^X' show; print rea''dy"
            zpty -r inner seen '*ready*'
            zpty -w -n inner $'{line}\\t\\C-x'
            zpty -r inner seen '*<*>*'
            print -r -- $seen
        """
        shutil.copy(FOLDER / "bmsfs.zsh", os.path.join(self.folder, "_bmsfs"))
        seen = self.run_shell(["zsh", "-f"], script)
        return re.findall(r"<(.*?)>", seen)[-1]

    def test_for_real(self):
        for line, becomes in (("bmsfs --li", "bmsfs --list "), ("bmsfs -o ba", "bmsfs -o baud="),
                              ("bmsfs -o ro,model=ab", "bmsfs -o ro,model=abms "),
                              ("bmsfs -c hou", "bmsfs -c house.conf "),
                              ("bmsfs s", "bmsfs sim:"), ("bmsfs sim: pl", "bmsfs sim: place/")):
            with self.subTest(line=line):
                self.assertEqual(self.offers(line), becomes)


if __name__ == "__main__":
    unittest.main(verbosity=2)
