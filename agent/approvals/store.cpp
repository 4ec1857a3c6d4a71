#include "approvals/store.h"

#include "approvals/jws.h"
#include "approvals/state.h"
#include "base/file.h"

#include <filesystem>
#include <unistd.h>

namespace escort {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kStateLimit = 256UL * 1024 * 1024; // 100,000 revoked approvals with long names

// Nothing where the file does not exist.
Result<std::optional<std::string>> read_if_there(const std::string& path) {
    std::error_code error;
    if (!fs::exists(fs::symlink_status(path, error))) {
        if (error && error != std::errc::no_such_file_or_directory) return fail(path, error.message());
        return std::nullopt;
    }
    auto text = read_file(path, kStateLimit);
    if (!text) return tl::unexpected(text.error());
    return std::optional(std::move(*text));
}

Outcome refused(DocumentFacts facts, const Refusal& refusal) {
    Outcome out;
    out.word = to_string(refusal.code);
    out.text = refusal.text;
    out.document = std::move(facts);
    out.retry = refusal.code == RefusalCode::not_persisted;
    return out;
}

void join(LedgerChange& into, LedgerChange more) {
    into.removed.insert(into.removed.end(), more.removed.begin(), more.removed.end());
    into.added.insert(into.added.end(), more.added.begin(), more.added.end());
    into.revoked.insert(into.revoked.end(), more.revoked.begin(), more.revoked.end());
}

} // namespace

Store::Store(StorePaths paths, LedgerSettings settings, TrustSet trust, IssuerRules rules)
    : paths_(std::move(paths)),
      settings_(std::move(settings)),
      trust_(std::move(trust)),
      rules_(std::move(rules)),
      ledger_(settings_),
      lease_folder_(paths_.state + "/presence") {}

std::string Store::document_path(const std::string& sha256) const {
    return paths_.state + "/documents/" + sha256 + ".jws";
}

Result<std::string> Store::raw(const std::string& sha256) const {
    return read_file(document_path(sha256), kDocumentLimit);
}

Result<LoadReport> Store::load(const ClockReading& clocks) {
    loaded_ = false;
    std::error_code error;
    for (const std::string& folder : {paths_.state, paths_.state + "/documents"}) {
        fs::create_directory(folder, error);
        if (error) return fail(folder, "create: " + error.message());
    }
    fs::permissions(paths_.state + "/documents", fs::perms::owner_all, error);
    if (auto created = lease_folder_.create(); !created) return tl::unexpected(created.error());
    const std::string ledger_file = paths_.state + "/ledger.json";
    const std::string time_file = paths_.state + "/trusted_time.json";
    const auto ledger_text = read_if_there(ledger_file);
    if (!ledger_text) return tl::unexpected(ledger_text.error());
    const auto time_text = read_if_there(time_file);
    if (!time_text) return tl::unexpected(time_text.error());
    auto memory =
        *ledger_text ? read_memory(ledger_file, **ledger_text) : Result<LedgerMemory>(LedgerMemory());
    if (!memory) return tl::unexpected(memory.error());
    const auto saved = *time_text ? read_time(time_file, **time_text) : Result<std::int64_t>(0);
    if (!saved) return tl::unexpected(saved.error());

    time_.raise(*saved, clocks.boot_ns);
    for (const auto& [key, sequence] : memory->sequences)
        time_.raise(sequence.iat, clocks.boot_ns);
    ledger_ = Ledger(settings_, std::move(*memory));
    presence_ = {};
    ReverifyReport report;
    reread(time_.read(clocks).moment, report);
    remove_litter();
    loaded_ = true;
    return LoadReport{ledger_.lists().size(), std::move(report.problems)};
}

// Documents that the ledger doesn't name (written, but never committed) and temporary files.
void Store::remove_litter() const {
    std::set<std::string> named;
    for (const auto& [key, sequence] : ledger_.memory().sequences)
        if (sequence.kept) named.insert(document_path(sequence.sha256));
    std::error_code error;
    std::vector<std::string> litter;
    for (fs::directory_iterator it(paths_.state + "/documents", error);
         !error && it != fs::directory_iterator(); it.increment(error))
        if (!named.contains(it->path().string()) && !it->is_directory(error))
            litter.push_back(it->path().string());
    for (const std::string& path : litter)
        ::unlink(path.c_str());
}

Judged<ApprovalList> Store::read_kept(const Sequence& sequence, DocumentFacts& facts) const {
    facts.file = document_path(sequence.sha256);
    facts.sha256 = sequence.sha256;
    const auto raw = read_file(facts.file, kDocumentLimit);
    if (!raw) return refuse(RefusalCode::not_a_file, "the kept document can't be read: " + raw.error().why);
    if (sha256_hex(*raw, trust_.properties) != sequence.sha256)
        return refuse(RefusalCode::malformed, "the kept document was changed on disk");
    auto document = judge_document(*raw, trust_, rules_, facts);
    if (!document) return tl::unexpected(std::move(document.error()));
    if (auto* list = std::get_if<ApprovalList>(&*document)) return std::move(*list);
    return refuse(RefusalCode::malformed, "the kept document is no list");
}

void Store::reread(const Moment& asked, ReverifyReport& report) {
    const Moment now = reread_leases(asked, report);
    for (const auto& [key, sequence] : ledger_.memory().sequences) {
        if (!sequence.kept) continue;
        DocumentFacts facts;
        auto list = read_kept(sequence, facts);
        if (list && ledger_.list(key)) continue; // in force, and rightly: its deadlines stay as they are
        auto change = list ? ledger_.reinstate(std::move(*list), now)
                           : Judged<LedgerChange>(tl::unexpected(std::move(list.error())));
        if (change) {
            join(report.change, std::move(*change));
        } else {
            join(report.change, ledger_.withdraw(key));
            report.problems.push_back({std::move(facts), std::move(change.error())});
        }
    }
}

void Store::retime(const Moment& now) {
    ledger_.retime(now);
    presence_.retime(now);
}

ReverifyReport Store::reverify(TrustSet trust, IssuerRules rules, const Moment& now) {
    trust_ = std::move(trust);
    rules_ = std::move(rules);
    ReverifyReport report;
    reread(now, report);
    return report;
}

Result<std::vector<std::string>> Store::pending() const {
    return list_spool(paths_.spool);
}

// The order makes a crash harmless: the document under a new name, then the ledger that names it, then the
// old document's removal.
Judged<Store::Accepted> Store::accept(ApprovalList list, std::string_view raw, const Moment& now,
                                      Outcome& out) {
    auto plan = ledger_.plan(std::move(list), now);
    if (!plan) return tl::unexpected(std::move(plan.error()));
    if (plan->duplicate) return Accepted{true, std::nullopt};
    const LedgerMemory next = ledger_.after(*plan);
    const std::string path = document_path(plan->list.sha256);
    auto written = write_file_atomically(path, raw, kStateMode);
    if (written)
        written = write_file_atomically(paths_.state + "/ledger.json", write_memory(next), kStateMode);
    if (!written) {
        const auto before = ledger_.memory().sequences.find(plan->key);
        const bool ours =
            before == ledger_.memory().sequences.end() || before->second.sha256 != plan->list.sha256;
        if (ours) ::unlink(path.c_str());
        // What it takes away is taken at once, disk or no disk: it stays in the spool and is judged again.
        RevocationPlan taken{std::move(plan->tombstones), std::move(plan->change), plan->judged_at};
        taken.change.added.clear();
        out.change = ledger_.commit(std::move(taken));
        return refuse(RefusalCode::not_persisted, "state can't be written: " + written.error().text());
    }
    std::vector<std::string> old;
    for (const auto& [key, last] : ledger_.memory().sequences) {
        const Sequence& then = next.sequences.at(key);
        if (last.kept && (!then.kept || then.sha256 != last.sha256))
            old.push_back(document_path(last.sha256));
    }
    time_.raise(plan->list.iat, now.boot_ns);
    out.change = ledger_.commit(std::move(*plan), now);
    for (const std::string& stale : old)
        ::unlink(stale.c_str());
    return Accepted{};
}

Outcome Store::judge(const SpoolFile& file, const std::string& name, const Moment& now) {
    DocumentFacts facts;
    facts.file = name;
    if (file.refusal) return refused(std::move(facts), *file.refusal);
    auto document = judge_document(file.content, trust_, rules_, facts);
    if (!document) return refused(std::move(facts), document.error());
    Outcome out;
    const auto accepted = std::visit(
        [&](auto& kind) { return accept(std::move(kind), document_bytes(file.content), now, out); },
        *document);
    if (!accepted) {
        Outcome refusal = refused(std::move(facts), accepted.error());
        refusal.ended_session = std::move(out.ended_session);
        refusal.change = std::move(out.change);
        return refusal;
    }
    out.disposition = accepted->duplicate ? Disposition::ignored : Disposition::accepted;
    out.word = accepted->duplicate ? "duplicate" : "accepted";
    out.text = accepted->duplicate ? "is in force already" : "is in force";
    if (accepted->unwritten) {
        out.text += ", but can't be written to the state: " + accepted->unwritten->text();
        out.retry = true;
    }
    out.document = std::move(facts);
    return out;
}

Result<Outcome> Store::take(const std::string& path, const Moment& now) {
    const std::string name = fs::path(path).filename().string();
    if (!loaded_) return fail(path, "is not taken: the state could not be loaded");
    if (!is_spool_name(path)) {
        Outcome out;
        out.disposition = Disposition::ignored;
        out.word = "not_a_document";
        out.text = "is no *.jws";
        out.document.file = name;
        return out;
    }
    const auto file = read_spool_file(path);
    if (!file) return tl::unexpected(file.error());
    Outcome out = judge(*file, name, now);
    if (out.disposition == Disposition::refused) {
        // Once per document, whatever reason it has the next time; a full disk is told on its own.
        const std::string what = out.document.sha256.empty() ? "file " + name : out.document.sha256;
        out.alert = told_.first_time(out.retry ? "retry " + what : what);
    }
    if (!out.retry)
        if (auto removed = remove_spool_file(path, *file); !removed)
            out.spool_problem = std::move(removed.error());
    return out;
}

Store::Forgotten Store::forget_lists() {
    if (!loaded_) return {};
    Forgotten forgotten;
    forgotten.change = ledger_.forget_lists();
    forgotten.written =
        write_file_atomically(paths_.state + "/ledger.json", write_memory(ledger_.memory()), kStateMode);
    if (forgotten.written) remove_litter();
    return forgotten;
}

Status Store::save_time(const Moment& now) {
    if (!loaded_) return {};
    auto saved =
        write_file_atomically(paths_.state + "/trusted_time.json", write_time(now.trusted), kStateMode);
    if (saved) time_.raise(now.trusted, now.boot_ns);
    const auto before = lease_files();
    presence_.prune(now);
    remove_unnamed_leases(before);
    return saved;
}

} // namespace escort
