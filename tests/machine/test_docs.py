"""The documents' commands work: what stands in them is run, in order, on a fresh host."""

import os
import re

import pytest
from testhost import Host, product
from testhost.image import REPO

pytestmark = pytest.mark.once


def blocks(path: str) -> list[tuple[str, str, int]]:
    """The shell blocks of a document: (kind, commands, line). Kind: "" must succeed, "fails" must not,
    "build" is for the machine that builds."""
    text = (REPO / path).read_text(encoding="utf-8")
    return [(found[1].strip(), found[2], text[:found.start()].count("\n") + 1)
            for found in re.finditer(r"^```sh([^\n]*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]


@pytest.mark.parametrize(("path", "least"), [("docs/getting-started.md", 10), ("docs/courier.md", 2)])
def test_its_commands(path, least):
    found = blocks(path)
    assert len(found) >= least
    with Host() as host:
        host.send(product.package(), f"/root/dist/{product.package().name}")
        if path != "docs/getting-started.md":
            product.install(host)
        for kind, commands, line in found:
            if kind == "build":
                continue
            result = host.run(["bash", "-euo", "pipefail", "-c", f"cd /root\n{commands}"], check=False, timeout=180)
            assert result.ok == (kind != "fails"), \
                f"{path}:{line}: exit {result.code}\n{commands}\n{result.out}\n{result.err}"


@pytest.mark.parametrize("path", ["README.md", "docs/getting-started.md"])
def test_build_commands_exist(path):
    commands = [line for kind, text, _ in blocks(path) if kind == "build" or path == "README.md"
                for line in text.splitlines()]
    assert commands
    for command in commands:
        assert os.access(REPO / command.split()[0], os.X_OK), command


@pytest.mark.parametrize("path", ["README.md", "docs/getting-started.md", "docs/courier.md", "docs/session-events.md", "docs/performance.md"])
def test_links_lead_somewhere(path):
    text = (REPO / path).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert target.startswith("https://www.rfc-editor.org/") or (REPO / path).parent.joinpath(target).exists(), target


def test_readme_names_the_two_commands():
    assert [commands.strip() for _, commands, _ in blocks("README.md")] == ["tools/demo", "tools/test"]
