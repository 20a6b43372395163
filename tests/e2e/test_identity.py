# SPDX-License-Identifier: MIT
"""Whose index is it: restored from a copy, rolled back, copied to another machine and run twice."""

import re
import shutil
import signal
import socket
import sqlite3

import harness
from harness import check, stays, wait_for
from trees import tree


def backup(world, agent, name, *, home=True, root=True):
    """A copy of what a person backs up; the agent does not run."""
    place = world.dir / f"backup-{name}"
    if home:
        shutil.copytree(agent.home, place / "home", symlinks=True)
    if root:
        shutil.copytree(agent.paths["f"], place / "root", symlinks=True)
    return place


def put_back(place, agent, *, home=False, index=False, root=False):
    if home:
        shutil.rmtree(agent.home)
        shutil.copytree(place / "home", agent.home, symlinks=True)
    if index:
        for old in agent.home.glob("index.db*"):
            old.unlink()
        for new in (place / "home").glob("index.db*"):
            shutil.copy2(new, agent.home)
    if root:
        shutil.rmtree(agent.paths["f"])
        shutil.copytree(place / "root", agent.paths["f"], symlinks=True)


def write(path, **files):
    for name, text in files.items():
        (path / name).write_text(text)


def visible(path):
    return {name: value for name, value in tree(path).items() if not name.startswith(".cfgsync")}


def agree(*agents, seconds=40):
    """All have the same tree, conflict items included, and say so."""
    def same():
        for agent in agents:
            agent.try_sync("f", timeout=10)
        trees = [tree(agent.paths["f"]) for agent in agents]
        return all(t == trees[0] for t in trees)
    wait_for(same, lambda: "the trees differ: " + " | ".join(
        str(sorted(tree(agent.paths["f"]))) for agent in agents), seconds)


def dots_name_one_thing(*agents):
    """No dot names two things, wherever one looks."""
    seen = {}
    for agent in agents:
        for inc, counter, key in index_dots(agent):
            other = seen.setdefault((inc, counter), key)
            check(other == key, f"dot {inc}:{counter} names {other} and {key}")


def index_dots(agent):
    with sqlite3.connect(f"file:{agent.home}/index.db?mode=ro", uri=True) as db:
        return db.execute("SELECT inc, counter, key FROM dot JOIN item USING(row)").fetchall()


def lives(agent):
    return len(re.findall(r"new incarnation", agent.log()))


def test_only_the_index_is_restored(world):
    """Files are newer than the index: what was published is known to the others, what was not is
    an edit."""
    a, b, pa, pb = world.pair()
    write(pa, one="1", two="1", gone="1")
    a.sync("f")
    a.stop()
    old = backup(world, a, "index", root=False)
    a.start()
    write(pa, one="2", three="3")
    (pa / "gone").unlink()
    a.sync("f")
    write(pb, from_b="b")
    b.sync("f")
    for end in (a.stop, a.kill9):
        end()
        write(pa, two="offline " + end.__name__)
        put_back(old, a, index=True)
        a.start()
        agree(a, b)
        check(visible(pa) == visible(pb), "the trees differ")
        check((pa / "two").read_text() == "offline " + end.__name__, "an edit is lost")
        check((pb / "one").read_text() == "2", "what was published is lost")
        check((pb / "three").read_text() == "3" and (pa / "from_b").exists(), "a file is gone")
        check(not (pb / "gone").exists(), "a deletion is undone")
        # What was published in the window between and edited further is a conflict at worst.
        conflicts = [item.read_text() for item in (pa / ".cfgsync/conflicts").iterdir()]
        check(conflicts == ([] if end == a.stop else ["offline stop"]), f"conflicts: {conflicts}")
        dots_name_one_thing(a, b)
    check(lives(a) == 2, "one new life for each restored index", a.log()[-3000:])
    write(pa, one="on we go")
    a.sync("f")
    check((pb / "one").read_text() == "on we go", "it does not go on")


def test_all_is_restored(world):
    """Index and files are of one time: only the counters that others saw tell. What was lost comes
    back, what was made meanwhile stays."""
    a, b, pa, pb = world.pair()
    write(pa, one="1", two="1", gone="1")
    a.sync("f")
    a.stop()
    old = backup(world, a, "all")
    a.start()
    write(pa, one="2", two="2", three="3")
    a.sync("f")
    (pa / "gone").unlink()
    write(pa, four="4", five="5")
    a.sync("f")
    a.kill9()
    b.stop()
    put_back(old, a, home=True, root=True)
    a.start()
    write(pa, one="after the restore", new="after the restore")
    wait_for(lambda: a.folder("f")["items"] == 4, "the edits are not noted")
    a.kill9()
    a.start()
    write(pa, newer="once more")
    wait_for(lambda: a.folder("f")["items"] == 5, "the edit is not noted")
    b.start()
    agree(a, b)
    check(lives(a) >= 1, "no new incarnation", a.log()[-3000:])
    now = visible(pb)
    check({"two", "three", "four", "five", "new", "newer", "one"} == set(now), f"{sorted(now)}")
    check((pa / "two").read_text() == "2" and (pa / "five").read_text() == "5", "lost for good")
    texts = {(pb / "one").read_text()}
    texts |= {item.read_text() for item in (pb / ".cfgsync/conflicts").iterdir()}
    check(texts == {"2", "after the restore"}, f"of the two edits there is {texts}")
    dots_name_one_thing(a, b)


def test_only_the_files_are_restored(world):
    """The root is of an older time than the index: that something is not there means nothing."""
    a, b, pa, pb = world.pair()
    write(pa, one="1", two="1")
    a.sync("f")
    a.stop()
    old = backup(world, a, "root", home=False)
    a.start()
    write(pa, one="newer than the copy", three="3", four="4")
    (pa / "dir").mkdir()
    write(pa / "dir", five="5")
    a.sync("f")
    a.kill9()
    put_back(old, a, root=True)
    a.start()
    agree(a, b)
    check(set(visible(pb)) == {"one", "two", "three", "four", "dir", "dir/five"},
          f"deleted: {sorted(visible(pb))}")
    check((pa / "one").read_text() == "newer than the copy", "an edit is taken back")
    # It was made from exactly what the copy had: nothing to set aside.
    check(not list((pb / ".cfgsync/conflicts").iterdir()), "a conflict of nothing")
    check(lives(a) == 1, "no new incarnation", a.log()[-3000:])
    (pa / "three").unlink()
    a.sync("f")
    check(not (pb / "three").exists(), "a deletion of now is not believed")
    dots_name_one_thing(a, b)


def test_an_honest_restart_keeps_its_life(world):
    a, b, pa, _ = world.pair()
    for end in (a.stop, a.kill9, a.stop, a.kill9, a.kill9):
        write(pa, x=f"{end.__name__}")
        a.sync("f")
        end()
        a.start()
    a.sync("f")
    check(lives(a) == 0 and lives(b) == 0, "a new life without need", a.log()[-3000:])


def test_adopted(world):
    """The machine is another: it refuses, and goes on with a new life when told to."""
    a, b, pa, pb = world.pair()
    write(pa, one="1")
    a.sync("f")
    a.stop()
    with sqlite3.connect(a.home / "index.db") as db:
        db.execute("UPDATE meta SET value = zeroblob(32) WHERE key = 'machine-id'")
    a.start(wait=False)
    check(a.process.wait(timeout=20) == 1, "it runs on another machine")
    a.process = None
    check("cfgsync-agent adopt" in a.log(), "it does not say what to do", a.log()[-1000:])
    a.cli("adopt")
    a.start()
    write(pa, one="2")
    write(pb, two="b")
    agree(a, b)
    check((pb / "one").read_text() == "2" and (pa / "two").exists(), "it does not go on")
    check(lives(a) == 1, "no new incarnation")
    dots_name_one_thing(a, b)


def test_adopted_with_a_declared_folder(world):
    """It makes no difference where a folder is declared."""
    a, b = world.company("alpha", "beta")
    root = world.dir / "declared"
    root.mkdir()
    a.stop()
    with open(a.home / "config", "a", encoding="ascii") as config:
        config.write(f'folder f {{ path = "{root}" with = {{"beta"}} }}\n')
    a.paths["f"] = root
    a.start()
    pb = b.folder_add("f")
    write(root, one="1")
    a.sync("f")
    a.stop()
    a.cli("adopt")
    a.start()
    write(root, one="2")
    agree(a, b)
    check((b.paths["f"] / "one").read_text() == "2", "it does not go on", pb)
    check(lives(a) == 1, "no new incarnation")
    dots_name_one_thing(a, b)


def lose(agent, *names):
    """The index forgets items, and the disk their files, though the knowledge of them stays."""
    with sqlite3.connect(agent.home / "index.db") as db:
        for name in names:
            row, size = db.execute("SELECT row, bytes FROM item WHERE key = ?",
                                   (name.replace("/", "\0").encode(),)).fetchone()
            db.execute("DELETE FROM dot WHERE row = ?", (row,))
            db.execute("DELETE FROM item WHERE row = ?", (row,))
            db.execute("UPDATE folder SET items = items - 1, bytes = bytes - ?", (size,))
            (agent.paths["f"] / name).unlink()


def forget_bugs(*agents):
    """What this test broke itself was said to be a bug, and is none."""
    for agent in agents:
        if "BUG-K" in agent.log():
            agent.log_path.write_text("")


def test_verify(world):
    """Equal: little is said. Different, though both think they know the same: repaired."""
    a, b, pa, pb = world.pair()
    (pa / "dir").mkdir()
    for n in range(700):
        (pa / "dir" / f"file-{n}").write_text(f"content {n}")
    a.sync("f")
    before = traffic(a)
    result = a.cli("verify")
    check("equal with beta, 701 items" in result.out, "what verify says", result)
    check(traffic(a) - before < 6000, f"{traffic(a) - before} bytes for nothing")
    b.stop()
    lost = [f"dir/file-{n}" for n in (0, 77, 500, 699)]
    lose(b, *lost)
    b.start()
    a.sync("f")
    check(not (pb / lost[0]).exists(), "the test does not lose anything")
    before = traffic(a)
    result = a.cli("verify", "f", "--peer", "beta", ok=(1,))
    check("differed from beta and is repaired" in result.out, "what verify says", result)
    agree(a, b)
    check((pb / lost[3]).read_text() == "content 699", "not repaired")
    check(traffic(a) - before < 120000, f"{traffic(a) - before} bytes for 4 items")
    check("BUG-K" in b.log(), "a bug is not called one", b.log()[-2000:])
    forget_bugs(a, b)
    a.stop()
    lose(a, *lost[:2])
    a.start()
    wait_for(lambda: a.connected("beta"), "not connected")
    # 0: the agents have compared by themselves meanwhile.
    result = a.cli("verify", "--json", ok=(0, 1))
    check(result.code == 0 or '"came": 2' in result.out, "what verify says", result)
    agree(a, b)
    check((pa / lost[0]).read_text() == "content 0", "not repaired")
    check(a.cli("verify").code == 0, "still not equal")
    forget_bugs(a, b)
    b.stop()
    result = a.cli("verify", "--timeout", "1", ok=(4,))
    check("beta is not connected" in result.err, "what verify says", result)


def traffic(agent):
    """Bytes of messages from and to peers since its start."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(str(agent.home / "agent.sock"))
        line.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: line.recv(65536), b"")).decode()
    return sum(int(float(found)) for found in re.findall(
        r"^cfgsync_(?:sent|received)_bytes_total (\S+)", text, re.M))


def test_counters_that_caught_up(world):
    """As many edits after the restore as were lost: no counter tells, but none was told yet."""
    a, b, pa, pb = world.pair()
    write(pa, one="1", two="1")
    a.sync("f")
    a.stop()
    old = backup(world, a, "caught-up")
    a.start()
    write(pa, lost="before the restore")
    a.sync("f")
    a.kill9()
    b.stop()
    put_back(old, a, home=True, root=True)
    a.start()
    write(pa, new="after the restore")
    wait_for(lambda: a.folder("f")["items"] == 3, "the edit is not noted")
    b.start()
    wait_for(lambda: a.connected("beta"), "not connected")
    a.sync("f")
    a.try_cli("verify", timeout=70)
    agree(a, b)
    check(set(visible(pa)) == {"one", "two", "lost", "new"}, f"{sorted(visible(pa))}")
    check(lives(a) == 1, "no new incarnation", a.log()[-2000:])
    wait_for(lambda: a.try_cli("verify").code == 0, "not equal in the end")
    dots_name_one_thing(a, b)


def copy_of(world, agent, name):
    """The whole home on another machine: the same key, another address and root."""
    copy = world.agent(name, init=False)
    shutil.copytree(agent.home, copy.home, symlinks=True,
                    ignore=shutil.ignore_patterns("*.sock", "lock"))
    copy.paths["f"] = world.dir / f"{name}-f"
    shutil.copytree(agent.paths["f"], copy.paths["f"], symlinks=True)
    for file in ("config", "registry.json"):
        text = (copy.home / file).read_text().replace(agent.address, copy.address)
        (copy.home / file).write_text(text.replace(str(agent.paths["f"]), str(copy.paths["f"])))
    copy.device_id = agent.device_id
    return copy


def clone_errors(agent):
    return [error["message"] for error in agent.status()["errors"] if error["code"] == "clone"]


def test_a_copy_runs_beside_it(world):
    """The second one is refused while the first one answers, both are named on both sides; when the
    first one is gone the other is let in, and what both made is there."""
    a, b, pa, pb = world.pair()
    write(pa, one="1", two="1")
    a.sync("f")
    a.stop()
    copy = copy_of(world, a, "alpha-copy")
    a.start()
    wait_for(lambda: b.connected("alpha"), "not connected")
    copy.start()
    wait_for(lambda: clone_errors(b) and clone_errors(copy), "the copy is not noticed")
    for agent in (b, copy):
        text = clone_errors(agent)[0]
        check(text.count("tcp://127.0.0.1:") == 2, f"not both addresses: {text}")
        check("a device runs twice" in agent.log(), "not in the log", agent.log()[-2000:])
    write(pa, one="of the first", first="1")
    write(copy.paths["f"], one="of the copy", copy="1", copy2="2")
    a.sync("f")
    stays(lambda: not (pb / "copy").exists(), "the copy is listened to", 3)
    check((pb / "first").exists() and b.connected("alpha"), "the first one is disturbed")
    a.stop()
    wait_for(lambda: (pb / "copy").exists(), "the copy is not let in", 60)
    agree(copy, b)
    texts = {(pb / "one").read_text()}
    texts |= {item.read_text() for item in (pb / ".cfgsync/conflicts").iterdir()}
    check(texts == {"of the first", "of the copy"}, f"of the two edits there is {texts}")
    check((copy.paths["f"] / "first").exists(), "what the first one made is not at the copy")
    check(lives(copy) == 1, "no new incarnation", copy.log()[-3000:])
    dots_name_one_thing(copy, b)
    copy.kill9()
    a.start()
    write(pa, first="2")
    agree(a, b)
    check((pb / "first").read_text() == "2" and (pa / "copy2").exists(), "the first one is lost")
    dots_name_one_thing(a, b)


def test_a_dead_connection_gives_way(world):
    """A process that is stopped answers nothing: who comes with its key is let in after 2 s."""
    a, b, pa, pb = world.pair()
    write(pa, one="1")
    a.sync("f")
    a.stop()
    copy = copy_of(world, a, "alpha-copy")
    a.start()
    wait_for(lambda: b.connected("alpha"), "not connected")
    a.process.send_signal(signal.SIGSTOP)
    copy.start()
    write(copy.paths["f"], two="2")
    wait_for(lambda: (pb / "two").exists(), "not let in", 15)
    check(not clone_errors(b), "a dead one was taken for alive")
    a.process.send_signal(signal.SIGCONT)


if __name__ == "__main__":
    harness.main()
