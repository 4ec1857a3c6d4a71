"""What is walked through on every kernel, beside the demo's story."""

from testhost import product


def gate_and_freeze(vm) -> None:
    """A login is labelled by pidfd, what goes round the gate dies, and a session stands still, goes on and is killed."""
    product.set_policy(vm, product.policy("gate_unbound"))
    refused = vm.ssh("azsupport", "touch", "/tmp/gate-canary", options=("-o", "LogLevel=INFO"))
    assert "No approved support session for azsupport" in refused.err
    product.approve(vm, "azsupport")
    assert not vm.run("setpriv --reuid azsupport --clear-groups touch /tmp/gate-canary", check=False).ok
    assert not vm.exists("/tmp/gate-canary")
    login = vm.login("azsupport", "cat")
    login.say("one")
    assert login.process.stdout.readline() == "one\n"
    session = vm.wait_for(lambda: product.sessions(vm, "azsupport"), 10, "the session")[0]
    shown = vm.ask("session", session["id"])
    assert {"gate", "key", "source"} <= {fact["name"] for fact in shown["facts"]}
    vm.escortctl("freeze", session["id"])
    tasks = [line for line in vm.run("ps -eo state=,comm= -U azsupport -u azsupport").out.splitlines() if "cat" in line]
    frozen = vm.run("cat /sys/fs/cgroup/user.slice/user-1001.slice/session-*.scope/cgroup.events", check=False).out
    assert "frozen 1" in frozen or all(line.startswith("T") for line in tasks), f"{tasks}\n{frozen}"
    vm.escortctl("thaw", session["id"])
    login.say("two")
    assert login.process.stdout.readline() == "two\n"
    vm.escortctl("kill", session["id"], "--reason", "the end of the test")
    vm.wait_for(login.over, 10, "the client's end")
