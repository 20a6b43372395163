#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The checks themselves: each is fed what it must find, and what it must leave alone."""

import pathlib
import tempfile
import unittest

import cases
import layers
import tidy
import tree

HEAD = "// SPDX-License-Identifier: MIT\n"


def layer(path, *includes):
    return list(layers.file_problems(path, "".join(f"#include {i}\n" for i in includes)))


def style(path, text):
    return [what for _, what in tidy.file_problems(path, text)]


class Cases(unittest.TestCase):
    def found(self, *shown):
        """What is said of rows that are shown so, the rest of them by an end-to-end test."""
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            for path, text in (("docs/CASES.md", ""), ("tests/sim/sim.h", "bool overflow;"),
                               ("tests/e2e/test_x.py", "def test_there(world):\n"),
                               ("tests/unit/fs/test_y.c", "static void test_run(void **s)\n"
                                "static void test_idle(void **s)\nT(test_run)\n")):
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).write_text(text)
            rows = [*shown, *["`e2e/test_x.py:test_there`"] * (cases.ROWS - len(shown))]
            (root / "docs/CASES.md").write_text(
                "".join(f"| {n} | x | {row} |\n" for n, row in enumerate(rows, 1) if row))
            return [what for _, what in cases.problems(root)]

    def test_good(self):
        self.assertEqual(self.found("`fs/test_y.c:test_run`, `sim:overflow`", "not shown: x"), [])

    def test_bad(self):
        for shown in ("`e2e/test_x.py:test_gone`", "`fs/test_y.c:test_idle`", "`sim:nothing`",
                      "`fs/test_none.c:test_run`", "somehow", ""):
            self.assertEqual(len(self.found(shown)), 1, shown)


class Layers(unittest.TestCase):
    def test_table_goes_down(self):
        self.assertEqual(list(layers.table_problems()), [])

    def test_down_is_allowed(self):
        self.assertEqual(layer("agent/sync/x.c", '"agent/base/err.h"', '"agent/core/item.h"'), [])

    def test_up_is_found(self):
        self.assertEqual(len(layer("agent/base/x.c", '"agent/store/store.h"')), 1)

    def test_sideways_is_found(self):
        self.assertEqual(len(layer("agent/store/x.c", '"agent/fs/disk.h"')), 1)
        self.assertEqual(len(layer("agent/daemon/config.c", '"agent/cli/cli.h"')), 1)
        self.assertEqual(layer("agent/daemon/main.c", '"agent/cli/cli.h"'), [])

    def test_the_line_is_named(self):
        found = layer("agent/core/x.c", "<stdint.h>", '"agent/sync/engine.h"')
        self.assertTrue(found[0].startswith("agent/core/x.c:2:"), found)

    def test_third_party(self):
        self.assertEqual(layer("agent/net/x.c", "<zmq.h>"), [])
        self.assertEqual(len(layer("agent/daemon/x.c", "<zmq.h>")), 1)
        self.assertEqual(len(layer("agent/store/x.c", "<jansson.h>")), 1)
        self.assertEqual(len(layer("agent/base/other.h", "<jansson.h>")), 1)
        self.assertEqual(layer("agent/base/json.h", "<jansson.h>"), [])

    def test_header_without_owner(self):
        self.assertEqual(len(layer("agent/net/x.c", "<glib.h>")), 1)

    def test_private(self):
        self.assertEqual(layer("proto/x.c", '"proto/reader_priv.h"'), [])
        self.assertEqual(len(layer("agent/sync/x.c", '"proto/reader_priv.h"')), 1)
        self.assertEqual(layer("tests/unit/proto/test_x.c", '"proto/reader_priv.h"'), [])
        self.assertEqual(len(layer("tests/unit/net/test_x.c", '"proto/reader_priv.h"')), 1)

    def test_no_room(self):
        self.assertEqual(len(layer("agent/new/x.c")), 1)
        self.assertEqual(len(layer("proto/x.c", '"bytes.h"')), 1)

    def test_a_comment_is_no_include(self):
        text = '// #include "agent/store/store.h"\n/*\n#include "agent/fs/disk.h"\n*/\n'
        self.assertEqual(list(layers.file_problems("agent/base/x.c", text)), [])

    def test_cmake_repeats_the_table(self):
        good = "cfgsync_room(delta DIR agent/delta USES base LIBS PkgConfig::ZSTD)\n"
        bad = "cfgsync_room(delta DIR agent/delta USES base sync LIBS PkgConfig::ZSTD)\n"
        self.assertEqual(list(layers.cmake_problems(good)), [])
        self.assertEqual(len(list(layers.cmake_problems(bad))), 1)


class Tidy(unittest.TestCase):
    def test_clean(self):
        text = HEAD + "int f(void)\n{\n    return 0; // not strcpy(), \"system(\"\n}\n"
        self.assertEqual(style("agent/core/x.c", text), [])

    def test_licence(self):
        self.assertEqual(len(style("proto/x.c", "int f;\n")), 1)
        self.assertEqual(style("scripts/x.sh", "#!/bin/bash\n# SPDX-License-Identifier: MIT\n"), [])

    def test_lines(self):
        self.assertIn("trailing space", style("proto/x.c", HEAD + "int a; \n"))
        self.assertIn("a tab", style("proto/x.c", HEAD + "\tint a;\n"))
        self.assertEqual(len(style("proto/x.c", HEAD + "// " + "a" * 98 + "\n")), 1)
        self.assertEqual(style("proto/x.c", HEAD + "// " + "ä" * 97 + "\n"), [])
        self.assertEqual(len(style("proto/x.c", HEAD + "// TO" + "DO\n")), 1)

    def test_banned_calls(self):
        for call in ("strcpy(a, b)", "sprintf(a, b)", "system(a)", "popen(a, b)", "strcat(a, b)"):
            text = HEAD + f"void f(void)\n{{ {call}; }}\n"
            self.assertEqual(len(style("proto/x.c", text)), 1, call)
        self.assertEqual(style("proto/x.c", HEAD + "void f(void)\n{ snprintf(a, 1, b); }\n"), [])

    def test_paths_in_fs(self):
        text = HEAD + "void f(void)\n{ %s; }\n"
        self.assertEqual(len(style("agent/fs/x.c", text % "rename(a, b)")), 1)
        self.assertEqual(len(style("agent/fs/x.c", text % "open(a, b)")), 1)
        self.assertEqual(style("agent/fs/x.c", text % "openat(a, b)"), [])
        self.assertEqual(style("agent/fs/x.c", text % "open(root->path, b)"), [])
        self.assertEqual(style("agent/fs/x.c", text % "port.open(a, b)"), [])
        self.assertEqual(style("agent/store/x.c", text % "rename(a, b)"), [])

    def test_printing(self):
        text = HEAD + 'void f(void)\n{ printf("%d", 1); }\n'
        self.assertEqual(len(style("agent/net/x.c", text)), 1)
        self.assertEqual(style("agent/cli/x.c", text), [])

    def test_ifdef_test(self):
        self.assertEqual(len(style("proto/x.c", HEAD + "#ifdef TEST\n#endif\n")), 1)

    def test_long_function(self):
        body = "    a = 1;\n" * 70
        text = HEAD + "struct s {\n    int a;\n};\nstatic int f(int a)\n{\n" + body + "}\n"
        found = style("proto/x.c", text)
        self.assertEqual(len(found), 1)
        self.assertIn("f() has 73 lines", found[0])

    def test_long_file(self):
        self.assertEqual(len(style("proto/x.h", HEAD + "int a;\n" * 500)), 1)

    def test_one_title(self):
        self.assertEqual(style("docs/A.md", "# A\n\n```\n# not one\n```\n"), [])
        self.assertEqual(len(style("docs/A.md", "# A\n# B\n")), 1)

    def test_comments_blanked(self):
        self.assertEqual(tree.without('a /* b\n */ "c//d" // e', True), 'a     \n    "    "     ')


if __name__ == "__main__":
    unittest.main()
