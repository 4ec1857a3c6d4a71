#include "settings.h"

#include "temp_folder.h"

#include <doctest/doctest.h>
#include <filesystem>
#include <utility>

using namespace escort;
using escort::test::TempFolder;

namespace {

const std::string kMachineId = "0123456789abcdef0123456789abcdef";

struct Host {
    Host() { folder.write("machine-id", kMachineId + "\n"); }

    [[nodiscard]] std::optional<Settings> load(const std::string& text, Diagnostics& out) const {
        folder.write("s.yaml", text);
        return load_settings(folder.path("s.yaml"), {folder.path("machine-id")}, out);
    }
    [[nodiscard]] Settings accepted(const std::string& text) const {
        Diagnostics out;
        auto settings = load(text, out);
        for (const auto& one : out)
            CHECK(one.text() == "");
        REQUIRE(settings);
        return *settings;
    }
    // The diagnostics without the folder's name, one a line.
    [[nodiscard]] std::string complaint(const std::string& text) const {
        Diagnostics out;
        const bool loaded = load(text, out).has_value();
        CHECK(loaded == out.empty());
        std::string all;
        for (const auto& one : out)
            all += (all.empty() ? "" : "\n") + one.text().substr(folder.path().size() + 1);
        return all;
    }

    TempFolder folder;
};

} // namespace

TEST_CASE("settings: the defaults") {
    const Host host;
    const auto settings = host.accepted("version: 1\n");
    CHECK(settings.host_id == kMachineId);
    CHECK(settings.groups.empty());
    CHECK_FALSE(settings.issuers);
    CHECK(settings.paths.policies == "/etc/escortd/policies.d");
    CHECK(settings.paths.trust == "/etc/escortd/trust.d");
    CHECK(settings.paths.breakglass == "/etc/escortd/breakglass.d");
    CHECK(settings.paths.spool == "/var/lib/escortd/spool");
    CHECK(settings.paths.state == "/var/lib/escortd/state");
    CHECK(settings.paths.run == "/run/escortd");
    CHECK(settings.paths.pins == "/sys/fs/bpf/escortd");
    CHECK_FALSE(settings.mode_override);
    CHECK(settings.required_tier == RequiredTier::any);
    CHECK(settings.hooks == Hooks::automatic);
    CHECK(settings.stale_grace_s == 0);
    CHECK(host.accepted("{}").host_id == kMachineId); // every key is optional, version too
}

TEST_CASE("settings: every key that works now") {
    const Host host;
    const auto settings = host.accepted(
        "version: 1\n"
        "host_id: i-0abc123\n"
        "groups: [prod, tenant-17]\n"
        "issuers:\n"
        "  - {iss: 'https://broker.example.gov', keys: [broker-2026.pem, broker-2027.pem], types: "
        "[approvals, presence],\n"
        "     accounts: ['az*'], revokes_for: []}\n"
        "  - {iss: other, keys: [o.pem], revokes_for: ['https://broker.example.gov']}\n"
        "paths: {policies: /a, trust: /b, breakglass: /c, spool: /d, state: /e, run: /f, pins: /g, outbox: "
        "/h}\n"
        "mode_override: observe\n"
        "tier: {require: deny}\n"
        "hooks: tracepoints\n"
        "stale_grace: 5m\n"
        "gate: {timeout: 3s, on_agent_down: admit}\n");
    CHECK(settings.host_id == "i-0abc123");
    CHECK(settings.groups == std::vector<std::string>{"prod", "tenant-17"});
    REQUIRE(settings.issuers);
    REQUIRE(settings.issuers->size() == 2);
    const IssuerRule& first = settings.issuers->at(0);
    CHECK(first.iss == "https://broker.example.gov");
    CHECK(first.keys == std::vector<std::string>{"broker-2026.pem", "broker-2027.pem"});
    CHECK(first.types == std::set<std::string>{"approvals", "presence"});
    CHECK(first.accounts == std::vector<std::string>{"az*"});
    CHECK(settings.issuers->at(1).types.size() == 3);
    CHECK_FALSE(settings.issuers->at(1).accounts);
    CHECK(first.revokes_for.empty());
    CHECK(settings.issuers->at(1).revokes_for == std::vector<std::string>{"https://broker.example.gov"});
    CHECK(settings.paths.policies == "/a");
    CHECK(settings.paths.pins == "/g");
    CHECK(settings.paths.outbox == "/h");
    CHECK(settings.mode_override == Mode::observe);
    CHECK(settings.required_tier == RequiredTier::deny);
    CHECK(settings.hooks == Hooks::tracepoints);
    CHECK(settings.stale_grace_s == 300);
    CHECK(settings.gate.timeout_s == 3);
    CHECK(settings.gate.admit_when_down);
    CHECK_FALSE(host.accepted("mode_override: null\n").mode_override);
    CHECK_FALSE(host.accepted("mode_override: ~\n").mode_override);
    CHECK(host.accepted("issuers: []\n").issuers->empty()); // nobody, not anybody
    CHECK(host.accepted("paths: {run: /x}\n").paths.state == "/var/lib/escortd/state");
}

TEST_CASE("settings: what is refused, and where") {
    const Host host;
    struct Row {
        std::string text;
        std::string complaint;
    };
    const Row rows[] = {
        {"version: 2\n", "s.yaml:1:10: error: version 2 is not supported: only 1 is"},
        {"host_id: 17\n", "s.yaml:1:10: error: host_id must be a string, found a number (put it in quotes to "
                          "make it a string)"},
        {"host_id: a b\n", "s.yaml:1:10: error: host_id: \"a b\" holds white space"},
        {"hostid: x\n", "s.yaml:1:1: error: unknown key \"hostid\" (did you mean \"host_id\"?)"},
        {"host_id: a\nhost_id: b\n", "s.yaml:2:1: error: duplicate key \"host_id\", first on line 1"},
        {"groups: prod\n", "s.yaml:1:9: error: groups must be a list, found a string"},
        {"issuers: [{keys: [a.pem]}]\n", "s.yaml:1:11: error: an item of issuers has no iss"},
        {"issuers: [{iss: a}]\n",
         "s.yaml:1:11: error: an item of issuers has no keys (name files of the trust folder)"},
        {"issuers: [{iss: a, keys: []}]\n",
         "s.yaml:1:26: error: an item of issuers has no keys (name files of the trust folder)"},
        {"issuers: [{iss: a, keys: [../x.pem]}]\n",
         "s.yaml:1:27: error: issuers.keys: \"../x.pem\" is no name of a .pem file of the trust folder"},
        {"issuers: [{iss: a, keys: [a.pem], types: [approval]}]\n",
         "s.yaml:1:43: error: an item of issuers.types must be one of approvals, presence, revocation, found "
         "\"approval\" (did you mean \"approvals\"?)"},
        {"issuers: [{iss: a, keys: [a.pem], accounts: ['a:b']}]\n",
         "s.yaml:1:46: error: issuers.accounts: \"a:b\" holds a character that no account name can have"},
        {"issuers: [{iss: a, keys: [a.pem], revokes_for: b}]\n",
         "s.yaml:1:48: error: issuers.revokes_for must be a list, found a string"},
        {"paths: {spool: var/spool}\n", "s.yaml:1:16: error: paths.spool: \"var/spool\" is no absolute path"},
        {"paths: {spol: /x}\n",
         "s.yaml:1:9: error: unknown key \"spol\" under paths (did you mean \"spool\"?)"},
        {"mode_override: enforce\n", "s.yaml:1:16: error: mode_override must be observe, found \"enforce\""},
        {"mode_override: 1\n", "s.yaml:1:16: error: mode_override must be observe or null, found a number"},
        {"tier: {require: kill}\n",
         "s.yaml:1:17: error: tier.require must be one of any, deny, found \"kill\""},
        {"hooks: kprobes\n", "s.yaml:1:8: error: hooks must be one of auto, tracepoints, found \"kprobes\""},
        {"stale_grace: 30\n",
         "s.yaml:1:14: error: stale_grace must be a duration such as 30s, 5m or 2h, found a number"},
        {"stale_grace: 1d\n",
         "s.yaml:1:14: error: stale_grace must be a duration such as 30s, 5m or 2h, found \"1d\""},
        {"gate: {timeout: 61s}\n",
         "s.yaml:1:17: error: gate.timeout: \"61s\" is not from 1 s to 60 s (people "
         "wait for it when the daemon is hung)"},
        {"gate: {on_agent_down: ask}\n",
         "s.yaml:1:23: error: gate.on_agent_down must be one of refuse, admit, found \"ask\""},
        {"gate: {timeout: 2}\n",
         "s.yaml:1:17: error: gate.timeout must be a duration such as 30s, 5m or 2h, found a "
         "number"},
        {"- a\n", "s.yaml:1:1: error: the document must be a map, found a list"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.text);
        CHECK(host.complaint(row.text) == row.complaint);
    }
}

TEST_CASE("settings: a file that is missing, and one that must not be") {
    const Host host;
    const SettingsSources may{host.folder.path("machine-id"), true};
    const SettingsSources must{host.folder.path("machine-id"), false};
    Diagnostics out;
    const auto settings = load_settings(host.folder.path("absent.yaml"), may, out);
    REQUIRE(settings);
    CHECK(settings->host_id == kMachineId);
    CHECK_FALSE(load_settings(host.folder.path("absent.yaml"), must, out));
    REQUIRE(out.size() == 1);
    CHECK(out[0].text() == host.folder.path("absent.yaml") + ": error: open: No such file or directory");
    out.clear();
    CHECK_FALSE(load_settings(host.folder.path(), may, out)); // a folder isn't a missing file
    CHECK(out.size() == 1);
}

TEST_CASE("settings: no machine id") {
    const Host host;
    const std::string path = host.folder.path("machine-id");
    Diagnostics out;
    for (const char* content : {"", "uninitialized\n", "0123\n", "0123456789ABCDEF0123456789ABCDEF\n"}) {
        host.folder.write("machine-id", content);
        out.clear();
        CHECK_FALSE(host.load("{}", out));
        REQUIRE(out.size() == 1);
        CHECK(out[0].text() == path + ": error: holds no machine id (or write host_id into the settings)");
    }
    CHECK(host.load("host_id: x\n", out));
    std::filesystem::remove(path);
    out.clear();
    CHECK_FALSE(host.load("{}", out));
    CHECK(out[0].text() ==
          path + ": error: no machine id for this host: open: No such file or directory (or write "
                 "host_id into the settings)");
}

TEST_CASE("settings: the file that comes with the program") {
    const Host host;
    const auto file = std::filesystem::path(__FILE__).parent_path() / "../../packaging/etc/escortd.yaml";
    Diagnostics out;
    const auto settings = load_settings(file, {host.folder.path("machine-id")}, out);
    for (const auto& one : out)
        CHECK(one.text() == "");
    CHECK(settings);
}

TEST_CASE("settings: where documents come from") {
    const Host host;
    const auto settings = host.accepted(
        "courier:\n"
        "  stale_after: 10m\n"
        "  sources:\n"
        "    - {type: https, url: 'https://b.example/hosts/{host_id}', ca: /c, client_cert: /d, "
        "client_key: /e, interval: 1m, wait: 0s}\n"
        "    - {type: nats, servers: ['tls://n:4222', 'nats://m:4222'], credentials: /f, api_prefix: "
        "escort.api}\n"
        "    - {type: caep_poll, url: 'https://p/poll', token_file: /t}\n");
    CHECK(settings.courier.stale_after_s == 600);
    REQUIRE(settings.courier.sources.size() == 3);
    const auto& https = std::get<HttpsSettings>(settings.courier.sources[0]);
    CHECK(https.url == "https://b.example/hosts/{host_id}");
    CHECK(https.tls.ca == "/c");
    CHECK(https.tls.client_cert == "/d");
    CHECK(https.tls.client_key == "/e");
    CHECK(https.interval_s == 60);
    CHECK(https.wait_s == 0);
    const auto& nats = std::get<NatsSettings>(settings.courier.sources[1]);
    CHECK(nats.servers == std::vector<std::string>{"tls://n:4222", "nats://m:4222"});
    CHECK(nats.bucket == "escort_documents");
    CHECK(nats.credentials == "/f");
    CHECK(nats.api_prefix == "escort.api");
    const auto& caep = std::get<CaepSettings>(settings.courier.sources[2]);
    CHECK(caep.token_file == "/t");
    CHECK(caep.interval_s == 30);
    CHECK(name_of(settings.courier.sources[0]) == "https://b.example/hosts/{host_id}");
    CHECK(name_of(settings.courier.sources[1]) == "nats n:4222");
    CHECK(host.accepted("{}").courier.stale_after_s == 300);
    CHECK(host.accepted("{}").courier.sources.empty());
}

TEST_CASE("settings: which source session events go to") {
    const Host host;
    const auto stream = [&](const std::string& sources) {
        const auto settings = host.accepted("courier: {sources: [" + sources + "]}\n");
        const auto* source = events_source(settings.courier);
        return source == nullptr ? "" : source->servers.at(0) + " " + source->events;
    };
    const std::string https = "{type: https, url: 'https://b/'}";
    CHECK(stream(https) == "");
    CHECK(stream(https + ", {type: nats, servers: ['nats://n']}, {type: nats, servers: ['nats://m']}") ==
          "nats://n ESCORT_EVENTS");
    CHECK(stream("{type: nats, servers: ['nats://n']}, {type: nats, servers: ['nats://m'], events: audit}") ==
          "nats://m audit");
    CHECK(stream("{type: nats, servers: ['nats://n'], events: none}") == "");
    CHECK(host.complaint("courier:\n  sources:\n  - {type: nats, servers: ['nats://n'], events: a}\n"
                         "  - {type: nats, servers: ['nats://m'], events: b}\n") ==
          "s.yaml:4:5: error: courier.sources: session events go to one source alone (leave `events` out of "
          "the "
          "others; a cluster's servers are one source)");
}

TEST_CASE("settings: sources that can't be") {
    const Host host;
    const struct {
        std::string source, complaint;
    } rows[] = {
        {"{type: ftp}", "courier.sources.type must be one of https, nats, caep_poll, found \"ftp\""},
        {"{url: 'https://b'}", "an item of courier.sources has no type (https, nats or caep_poll)"},
        {"{type: https}", "courier.sources: type https needs url"},
        {"{type: https, url: 'http://b/'}", "courier.sources.url: \"http://b/\" is no https:// address"},
        {"{type: https, url: 'https://'}", "courier.sources.url: \"https://\" is no https:// address"},
        {"{type: https, url: 'https://{host_id}.b/'}", "courier.sources.url: \"https://{host_id}.b/\" is no "
                                                       "address that can be asked ({host_id} and {group} may "
                                                       "stand in its path; no user, no fragment)"},
        {"{type: https, url: 'https://u:p@b/'}", "courier.sources.url: \"https://u:p@b/\" is no address that "
                                                 "can be asked ({host_id} and {group} may stand "
                                                 "in its path; no user, no fragment)"},
        {"{type: caep_poll, url: 'https://b/{group}'}",
         "courier.sources.url: \"https://b/{group}\" is no address that can be asked ({host_id} may stand in "
         "its "
         "path; no user, no fragment)"},
        {"{type: https, url: 'https://b/', servers: ['tls://n:1']}",
         "courier.sources: servers has no meaning for type https"},
        {"{type: https, url: 'https://b/', client_cert: /c}",
         "courier.sources: client_cert and client_key go together"},
        {"{type: https, url: 'https://b/', ca: ca.pem}",
         "courier.sources.ca: \"ca.pem\" is no absolute path"},
        {"{type: https, url: 'https://b/', interval: 0s}",
         "courier.sources.interval: \"0s\" is not from 1 s to 3600 s"},
        {"{type: https, url: 'https://b/', wait: 6m}",
         "courier.sources.wait: \"6m\" is not from 0 s to 300 s"},
        {"{type: nats, servers: []}", "courier.sources.servers is empty"},
        {"{type: nats, servers: ['n:4222']}",
         "courier.sources.servers: \"n:4222\" is no nats:// or tls:// address"},
        {"{type: nats, servers: ['nats://u:p@n']}",
         "courier.sources.servers: no password belongs into the settings (name a credentials file)"},
        {"{type: nats, servers: ['nats://n'], bucket: 'a.b'}",
         "courier.sources.bucket: \"a.b\" has other characters than letters, digits, - and _"},
        {"{type: nats, servers: ['nats://n'], api_prefix: 'escort.*'}",
         "courier.sources.api_prefix: \"escort.*\" is no subject without wildcards"},
        {"{type: nats, servers: ['nats://n'], events: '>'}",
         "courier.sources.events: \">\" has other characters than letters, digits, - and _"},
    };
    for (const auto& row : rows) {
        CAPTURE(row.source);
        const std::string complaint = host.complaint("courier: {sources: [" + row.source + "]}\n");
        CHECK(complaint.substr(complaint.find("error: ") + 7) == row.complaint);
    }
    std::string groups = "groups: [g0";
    for (int i = 1; i <= 64; i++)
        groups += ", g" + std::to_string(i);
    CHECK(host.complaint(groups + "]\ncourier: {sources: [{type: https, url: 'https://b/{group}'}]}\n") ==
          "s.yaml:2:10: error: courier.sources: 65 addresses, with one for each group, are more than 64");
    CHECK(host.complaint("courier: {stale_after: 0s}\n") ==
          "s.yaml:1:24: error: courier.stale_after must be at least 1 s");
}

TEST_CASE("settings: a start with invalid ones goes on with the last valid ones, and says so") {
    const Host host;
    const std::string path = host.folder.path("s.yaml"), kept = host.folder.path("kept.yaml");
    const SettingsSources sources{host.folder.path("machine-id"), true};
    const auto start = [&](const std::string& keep) {
        Diagnostics out;
        auto started = settings_to_start(path, keep, sources, out);
        if (started && !started->text.empty())
            host.folder.write("kept.yaml", started->text); // as main() does
        return std::pair(std::move(started), out.size());
    };

    host.folder.write("s.yaml", "versoin: 1\n");
    CHECK_FALSE(start(kept).first); // none were kept yet

    host.folder.write("s.yaml", "version: 1\nhost_id: i-1\n");
    auto [good, complaints] = start(kept);
    REQUIRE(good);
    CHECK_FALSE(good->problem);
    CHECK(complaints == 0);

    host.folder.write("s.yaml", "versoin: 1\n");
    CHECK_FALSE(start("").first);
    auto [last, why] = start(kept);
    REQUIRE(last);
    CHECK(last->settings.host_id == "i-1");
    CHECK(last->problem->text() == path + ": is invalid; the last valid settings are in force");
    CHECK(why > 0);

    std::filesystem::remove(path); // says nothing: all defaults, and these are the last then
    REQUIRE(start(kept).first);
    host.folder.write("s.yaml", "versoin: 1\n");
    CHECK(start(kept).first->settings.host_id == kMachineId);
}
