// escortctl doctor: its answer, what it sees by itself, and the threat model beside the document.
#include "escortctl/doctor_host.h"
#include "escortctl/doctor_threats.h"
#include "fake_daemon.h"

#include <algorithm>
#include <doctest/doctest.h>
#include <regex>
#include <set>

using namespace escort;
using namespace escort::ctl;
using namespace escort::ctl::test;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

json answer(bool proven) {
    return {{"proven", proven},
            {"tier", "kill"},
            {"hooks", "tracepoints"},
            {"clock", "task_work"},
            {"version", "0.1.0"},
            {"checks",
             {{{"part", "hook"},
               {"name", "escort_newtask"},
               {"state", proven ? "proven" : "not_proven"},
               {"detail", proven ? "ran 9 times" : "attached, but it did not run"},
               {"hint", proven ? "" : "restart\n\x1b[2J"}}}}};
}

const DoctorRow* find(const std::vector<DoctorRow>& rows, const std::string& name) {
    const auto found =
        std::find_if(rows.begin(), rows.end(), [&](const auto& row) { return row.name == name; });
    return found == rows.end() ? nullptr : &*found;
}

void put(const std::string& path, const std::string& content) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path, std::ios::binary) << content;
}

// The lines of the table whose first cell is an id: cells without their blanks.
std::vector<std::vector<std::string>> rows_of(const std::string& text) {
    std::vector<std::vector<std::string>> rows;
    std::istringstream lines(text);
    const std::regex id("^\\| ([IOAB][0-9]+|deadline) \\|.*");
    for (std::string line; std::getline(lines, line);) {
        if (!std::regex_match(line, id)) continue;
        auto& cells = rows.emplace_back();
        std::istringstream parts(line.substr(1));
        for (std::string cell; std::getline(parts, cell, '|');)
            cells.push_back(std::regex_replace(cell, std::regex("^ +| +$"), ""));
    }
    return rows;
}

const std::string kDocument =
    read_file(ESCORT_SOURCE_DIR "/docs/threat-model.md", std::size_t{1} << 20).value_or("");

} // namespace

TEST_CASE("escortctl doctor: exit code, rows of both sides, and what doesn't hold") {
    const Home home;
    {
        const FakeDaemon daemon(home, {{"doctor", FakeDaemon::always(answer(true))}});
        const Ran ran = run_ctl(home, {"doctor", "--json"});
        CHECK(ran.code == 0);
        CHECK(ran.err.empty());
        const json shown = json::parse(ran.out);
        CHECK(shown["proven"] == true);
        std::set<std::string> parts;
        for (const json& row : shown["checks"])
            parts.insert(row["part"]);
        CHECK(parts == std::set<std::string>{"kernel", "host", "hook"});
        std::set<std::string> open;
        for (const json& row : shown["threats_open"])
            open.insert(row["id"]);
        CHECK(open.contains("O10"));
        CHECK(open.contains("I13"));
        CHECK_FALSE(open.contains("deadline"));
        const Ran plain = run_ctl(home, {"doctor"});
        CHECK(plain.out.starts_with(
            "enforcement\tproven\ntier\tkill\nhooks\ttracepoints\nclock\ttask_work\ncheck\t"));
        CHECK(plain.out.find("check\tproven\thook\tescort_newtask\tran 9 times\t\n") != std::string::npos);
        CHECK(plain.out.find("threat\tnot held\tO9\t") != std::string::npos);
        CHECK(plain.out.find("threat\tin part\tO10\t") != std::string::npos);
    }
    const FakeDaemon daemon(home, {{"doctor", FakeDaemon::always(answer(false))}});
    const Ran ran = run_ctl(home, {"doctor"}, true);
    CHECK(ran.code == 1);
    CHECK(ran.out.find("NOT PROVEN") != std::string::npos);
    CHECK(ran.out.find('\x1b') == std::string::npos);
    CHECK(run_ctl(home, {"doctor", "--json"}).code == 1);
}

TEST_CASE("escortctl doctor: without a daemon it says what it can see, and exits 3") {
    const Home home;
    const Ran ran = run_ctl(home, {"doctor", "--json"});
    CHECK(ran.code == 3);
    CHECK(ran.err.find("can't be reached") != std::string::npos);
    const json shown = json::parse(ran.out);
    CHECK(shown["proven"] == false);
    CHECK(shown["threats_open"][0]["id"] == "all");
    const auto& checks = shown["checks"];
    CHECK(std::any_of(checks.begin(), checks.end(), [](const json& row) { return row["name"] == "BTF"; }));
    CHECK(std::any_of(checks.begin(), checks.end(), [](const json& row) {
        return row["name"] == "daemon" && row["state"] == "missing" && row["hint"] != "";
    }));
}

TEST_CASE("escortctl doctor: one who may not ask is told so, and nothing else") {
    const Home home;
    const FakeDaemon daemon(home, {{"doctor", [](const json&, const control::Reply& reply) {
                                        reply.fail(Exit::not_permitted, {"doctor", "needs root"});
                                    }}});
    const Ran ran = run_ctl(home, {"doctor"});
    CHECK(ran.code == 4);
    CHECK(ran.out.empty());
}

TEST_CASE("doctor: the kernel's means are read from its own types") {
    const Home home;
    HostPlaces places{home.file("root"), "/pins", home.file("run")};
    CHECK(find(kernel_rows(places), "BTF")->state == "missing");
    const std::string btf = places.root + "/sys/kernel/btf/vmlinux";
    put(btf, std::string("\0bpf_task_storage_get\0bpf_send_signal_task_not\0", 48));
    CHECK(find(kernel_rows(places), "BTF")->state == "ok");
    CHECK(find(kernel_rows(places), "task storage")->state == "ok");
    CHECK(find(kernel_rows(places), "signal to another task")->state ==
          "missing"); // a longer name is another
    CHECK(find(kernel_rows(places), "own clock")->state == "missing");
    put(btf, std::string("\0bpf_send_signal_task\0bpf_timer_init\0bpf_iter_task_new\0", 55));
    CHECK(find(kernel_rows(places), "signal to another task")->state == "ok");
    CHECK(find(kernel_rows(places), "own clock")->state == "ok");
    CHECK(find(kernel_rows(places), "task storage")->state == "missing");
    for (const auto& row : kernel_rows(places))
        CHECK((row.state != "missing" || !row.hint.empty()));
    CHECK(find(kernel_rows(places), "tier deny (LSM programs)")->state == "not_probed");
}

TEST_CASE("doctor: cgroups, pins and sockets of the host") {
    const Home home;
    const HostPlaces places{home.file("root"), "/pins", home.file("run")};
    CHECK(find(host_rows(places), "cgroup v2")->state == "missing");
    put(places.root + "/sys/fs/cgroup/cgroup.controllers", "");
    put(places.root + "/sys/fs/cgroup/system.slice/cgroup.freeze", "");
    CHECK(find(host_rows(places), "cgroup v2")->detail == "no cgroup.kill (5.14) ");
    put(places.root + "/sys/fs/cgroup/system.slice/cgroup.kill", "");
    CHECK(find(host_rows(places), "cgroup v2")->state == "ok");
    CHECK(find(host_rows(places), "pinned programs")->state == "missing");
    put(places.root + "/pins/sets/1-ab/escort_exec", "");
    CHECK(find(host_rows(places), "pinned programs")->detail == "1 below /pins");
    CHECK(find(host_rows(places), "gate socket")->state == "missing");
    CHECK(find(host_rows(places), "BPF filesystem")->state == "missing");
}

TEST_CASE("doctor: the gate is looked for through includes, in both phases") {
    const Home home;
    const HostPlaces places{home.file("root"), "/pins", home.file("run")};
    const std::string folder = places.root + "/etc/pam.d";
    CHECK(find(host_rows(places), "PAM gate")->state == "not_probed");
    put(folder + "/common", "account [perm_denied=die default=ignore] pam_escort.so # first\n"
                            "-session\toptional\t/lib/security/pam_escort.so quiet\n");
    put(folder + "/sshd", "# pam_escort.so\nauth required pam_unix.so\n@include common\n");
    CHECK(has_gate(folder, "sshd", "account"));
    CHECK(has_gate(folder, "sshd", "session"));
    CHECK_FALSE(has_gate(folder, "sshd", "auth"));
    CHECK(find(host_rows(places), "PAM gate")->state == "ok");
    put(folder + "/su", "account include common\nsession required pam_unix.so\n");
    CHECK(has_gate(folder, "su", "account"));
    CHECK_FALSE(has_gate(folder, "su", "session"));
    CHECK(find(host_rows(places), "PAM gate")->detail == "not in front of su");
    put(folder + "/loop", "@include loop\n");
    CHECK_FALSE(has_gate(folder, "loop", "account"));
}

TEST_CASE("threat model: every row once, in the words of the table") {
    const auto rows = rows_of(kDocument);
    CHECK(rows.size() == threats().size());
    std::set<std::string> seen;
    for (const auto& cells : rows) {
        CAPTURE(cells[0]);
        REQUIRE(cells.size() == 6);
        CHECK(seen.insert(cells[0]).second);
        const auto& all = threats();
        const auto threat =
            std::find_if(all.begin(), all.end(), [&](const Threat& one) { return one.id == cells[0]; });
        REQUIRE(threat != all.end());
        CHECK(cells[2] == to_string(threat->held));
        CHECK((threat->held == Held::yes) == std::string(threat->why).empty());
    }
}

TEST_CASE("threat model: each test that it names is there; none is left without a reason") {
    const std::regex name("`([a-z0-9_/]+\\.(?:py|cpp))(?:::([a-z0-9_]+))?`");
    std::size_t named = 0;
    for (const auto& cells : rows_of(kDocument)) {
        CAPTURE(cells[0]);
        const std::string& tests = cells[5];
        CHECK_FALSE(tests.empty());
        for (auto found = std::sregex_iterator(tests.begin(), tests.end(), name);
             found != std::sregex_iterator(); ++found) {
            const std::string file = (*found)[1], function = (*found)[2];
            CAPTURE(file);
            CAPTURE(function);
            const bool in_machine = file.find('/') == std::string::npos;
            const auto text =
                read_file(std::string(ESCORT_SOURCE_DIR "/tests/") + (in_machine ? "machine/" : "") + file,
                          std::size_t{1} << 20);
            CHECK(text);
            if (text && !function.empty()) CHECK(text->find("def " + function + "(") != std::string::npos);
            ++named;
        }
    }
    CHECK(named > 40);
}

TEST_CASE("threat model: what holds less on a kernel is said on that kernel") {
    const auto ids = [](const Means& means) {
        std::set<std::string> all;
        for (const Threat& threat : not_held(means))
            all.insert(threat.id);
        return all;
    };
    const auto best = ids({"kill", "fentry", "task_work", true});
    CHECK(best == std::set<std::string>{"A1", "A2", "A3", "A7", "O10", "O11", "O9"});
    auto weaker = best;
    weaker.insert({"A4", "I13", "deadline"});
    CHECK(ids({"kill", "tracepoints", "timer"}) == weaker);
    weaker.insert("O2");
    CHECK(ids({"kill", "tracepoints", "samples"}) == weaker);
    CHECK(ids({"kill", "capability", "task_work"}).contains("I5"));
    CHECK_FALSE(ids({"kill", "capability", "task_work"}).contains("I13"));
    CHECK(ids({"kill", "tracepoints", "none"}) == weaker);
    CHECK(ids({"none", "none", "none"}) == std::set<std::string>{"all"});
    CHECK(ids({"unknown", "unknown", "unknown"}) == std::set<std::string>{"all"});
    for (const Threat& threat : not_held({"kill", "tracepoints", "unknown"}))
        CHECK_FALSE(std::string(threat.why).empty());
}
