#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The packages: built, checked, and the .deb put into a tree of its own, replaced and removed
beside a person's files."""

import functools
import hashlib
import os
import re
import shutil
import subprocess
import tarfile

from harness import ROOT, Skip, World, check, main, program, wait_for
from trees import put

# What pkg-config calls it: what Debian's -dev package, Homebrew and Arch call it.
NAMES = {
    "libzmq": ("libzmq3-dev", "zeromq", "zeromq"),
    "libsodium": ("libsodium-dev", "libsodium", "libsodium"),
    "libcrypto": ("libssl-dev", "openssl@3", "openssl"),
    "sqlite3": ("libsqlite3-dev", "sqlite", "sqlite"),
    "libzstd": ("libzstd-dev", "zstd", "zstd"),
    "libutf8proc": ("libutf8proc-dev", "utf8proc", "libutf8proc"),
    "jansson": ("libjansson-dev", "jansson", "jansson"),
    "libconfuse": ("libconfuse-dev", "confuse", "confuse"),
    "libmicrohttpd": ("libmicrohttpd-dev", "libmicrohttpd", "libmicrohttpd"),
    "libcurl": ("libcurl4-openssl-dev", "curl", "curl"),
    "avahi-client": ("libavahi-client-dev", "avahi", "avahi"),
    "librsync": ("librsync-dev", "librsync", "librsync"),
    "msgpack-c": ("libmsgpack-dev", "msgpack", "msgpack-c"),
}
TOOLS = {"debhelper-compat", "cmake", "ninja-build", "pkg-config", "ninja", "pkgconf", "glibc"}


def version():
    text = (ROOT / "CMakeLists.txt").read_text()
    return re.search(r"^project\(cfgsync-agent VERSION ([\d.]+)", text, re.M).group(1)


def run(*command, **options):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300,
                          check=False, **options)
    check(done.returncode == 0, f"{command[0]} is to succeed", done.args, done.stdout[-3000:],
          done.stderr[-3000:])
    return done.stdout + done.stderr


@functools.lru_cache(maxsize=None)
def needed():
    """The libraries that CMake asks for."""
    text = (ROOT / "CMakeLists.txt").read_text()
    text += "".join(p.read_text() for p in (ROOT / "cmake").glob("*.cmake"))
    found = set(re.findall(r"pkg_check_modules\(\w+ (?:REQUIRED )?IMPORTED_TARGET ([\w-]+)", text))
    if "find_package(Librsync REQUIRED)" in text:  # it has no .pc
        found.add("librsync")
    check(found <= set(NAMES), "each has its names in NAMES", found - set(NAMES))
    return found


def build(world, root=ROOT, out="out"):
    for tool in ("dpkg-buildpackage", "dh"):
        if not shutil.which(tool):
            raise Skip(f"no {tool}; scripts/deps.sh --test installs debhelper")
    env = dict(os.environ, CFGSYNC_AGENT=program())
    said = run(root / "scripts/package.sh", "deb", world.dir / out, env=env)
    package = next((world.dir / out).glob("cfgsync-agent_*.deb"))
    check(str(package) in said and len(list((world.dir / out).iterdir())) == 1, "one package", said)
    return package


def test_lists(world):
    """All three recipes name what CMake asks for, and nothing else."""
    del world
    control = (ROOT / "packaging/debian/control").read_text()
    depends = re.search(r"^Build-Depends: (.*(?:\n .*)*)", control, re.M).group(1)
    debian = {re.match(r"[\w.+-]+", d.strip()).group(0) for d in depends.split(",")}
    formula = (ROOT / "packaging/homebrew/cfgsync-agent.rb").read_text()
    brew = set(re.findall(r'(?:depends_on|uses_from_macos) "([^"]+)"', formula))
    recipe = (ROOT / "packaging/arch/PKGBUILD").read_text()
    arch = set(re.search(r"^depends=\(([^)]*)\)", recipe, re.M).group(1).split())
    for index, found in enumerate((debian, brew, arch)):
        want = {NAMES[name][index] for name in needed()}
        check(found - TOOLS == want, "the dependencies", found - TOOLS - want, want - found)


def test_deb(world):
    """Nothing for lintian to say; the unit is the one that the program would write."""
    package = build(world)
    if shutil.which("lintian"):
        run("lintian", "--allow-root", "--fail-on", "warning,error", package)
    info = run("dpkg-deb", "-f", package)
    check(f"Version: {version()}\n" in info and "libzmq5" in info, "what it is", info)
    tree = world.dir / "tree"
    run("dpkg-deb", "-x", package, tree)
    agent = tree / "usr/bin/cfgsync-agent"
    check(version() in run(agent, "version"), "it runs")
    env = {key: value for key, value in os.environ.items()
           if not key.startswith(("XDG_", "CFGSYNC_"))}
    unit = run(agent, "service", "install", "--print", "--program", "/usr/bin/cfgsync-agent",
               env=env)
    packed = (tree / "usr/lib/systemd/user/cfgsync-agent.service").read_text()
    check(unit == packed, "the unit", unit, packed)
    for shell, path in (("bash", "bash-completion/completions/cfgsync-agent"),
                        ("zsh", "zsh/vendor-completions/_cfgsync-agent"),
                        ("fish", "fish/vendor_completions.d/cfgsync-agent.fish")):
        check((tree / "usr/share" / path).read_text() == run(agent, "completion", shell), shell)


class Tree:
    """A tree with a package database of its own."""

    def __init__(self, world):
        if os.geteuid() != 0:
            raise Skip("dpkg installs as root only")
        self.path = world.dir / "tree"
        for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log"):
            (self.path / folder).mkdir(parents=True)
        (self.path / "var/lib/dpkg/status").touch()

    def dpkg(self, *args):
        run("dpkg", f"--root={self.path}", "--force-depends", "--log=/dev/null", *args)

    def files(self):
        return {str(p.relative_to(self.path)) for p in self.path.rglob("*")
                if p.is_file() and "var/lib/dpkg" not in str(p)}


def test_install_upgrade_remove(world):
    """What a person has is the same before and after each step; the running agent goes on."""
    tree = Tree(world)
    older = build(world)
    copy = world.dir / "newer"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".git", "build", "__pycache__"))
    for name, old in (("packaging/debian/changelog", f"({version()})"),
                      ("CMakeLists.txt", f"cfgsync-agent VERSION {version()} ")):
        path = copy / name
        path.write_text(path.read_text().replace(old, old.replace(version(), "99.0"), 1))
    newer = build(world, copy, "out-newer")

    tree.dpkg("-i", older)
    agent = tree.path / "usr/bin/cfgsync-agent"
    a = world.agent("alpha", init=False)
    a.home = tree.path / "home/u/agent"
    a.home.parent.mkdir(parents=True)
    a.env["CFGSYNC_HOME"] = str(a.home)
    run(agent, "init", "--name", "alpha", "--no-listen", env=a.env)
    process = subprocess.Popen([agent, "run"], env=a.env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    world.closers.append(process.kill)
    wait_for(lambda: a.try_cli("status").code == 0, "the agent of the package runs")
    folder = tree.path / "home/u/f"
    folder.mkdir()
    put(folder / "x", "one")
    run(agent, "folder", "add", "f", folder, env=a.env)

    tree.dpkg("-i", newer)
    check("99.0" in run("dpkg", f"--root={tree.path}", "-s", "cfgsync-agent"), "upgraded")
    put(folder / "y", "two")
    wait_for(lambda: a.folder("f")["items"] == 2, "the agent goes on")
    run(agent, "stop", env=a.env)
    process.wait(timeout=60)

    tree.dpkg("-r", "cfgsync-agent")
    check(not agent.exists(), "removed")
    left = {f for f in tree.files() if not f.startswith("home/")}
    check(not left, "nothing else is left", left)
    check((folder / "x").read_text() == "one" and (a.home / "identity").exists(), "untouched")
    tree.dpkg("--purge", "cfgsync-agent")
    check((folder / "y").read_text() == "two" and (a.home / "index.db").exists(), "also then")


def test_source(world):
    """The archive has what a build needs; formula and recipe name it and its checksum."""
    run(ROOT / "scripts/package.sh", "source", world.dir / "out",
        env=dict(os.environ, CFGSYNC_URL="https://host.example/x.tar.gz"))
    archive = next((world.dir / "out").glob("*.tar.gz"))
    name = f"cfgsync-agent-{version()}"
    with tarfile.open(archive) as tar:
        names = set(tar.getnames())
    check({f"{name}/CMakeLists.txt", f"{name}/agent/daemon/main.c", f"{name}/LICENSE"} <= names,
          "the sources", sorted(names)[:20])
    check(not any("/.git" in n and not n.endswith("ignore") or "/build/" in n for n in names),
          "nothing else", [n for n in names if "/.git" in n])
    digest = hashlib.sha256(archive.read_bytes()).hexdigest()
    recipe = world.dir / "out/PKGBUILD"
    shown = run("bash", "-euc", f"source {recipe}; declare -f build package >/dev/null; "
                'echo "$pkgname $pkgver ${source[0]} ${sha256sums[0]} ${license[0]}"')
    check(shown.split() == ["cfgsync-agent", version(), "https://host.example/x.tar.gz", digest,
                            "MIT"], "the recipe", shown)
    formula = world.dir / "out/cfgsync-agent.rb"
    text = formula.read_text()
    for line in (f'url "https://host.example/x.tar.gz"', f'version "{version()}"',
                 f'sha256 "{digest}"', 'license "MIT"'):
        check(f"  {line}\n" in text, "the formula", line)
    if shutil.which("ruby"):
        check("Syntax OK" in run("ruby", "-wc", formula), "ruby reads it")
    again = World()
    try:
        run(ROOT / "scripts/package.sh", "source", again.dir)
        same = next(again.dir.glob("*.tar.gz")).read_bytes() == archive.read_bytes()
    finally:
        again.close(False)
    check(same, "the same sources make the same archive")


def test_wrong(world):
    """What is not in order is said, and nothing is built."""
    done = subprocess.run([ROOT / "scripts/package.sh", "rpm", world.dir / "out"], check=False,
                          capture_output=True, text=True, timeout=60)
    check(done.returncode == 2 and "usage" in done.stderr, "no such package", done)


if __name__ == "__main__":
    main()
