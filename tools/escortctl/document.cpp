// escortctl document verify, show: all without a daemon.
#include "approvals/judge.h"
#include "approvals/jws.h"
#include "approvals/strict_json.h"
#include "approvals/trust.h"
#include "base/file.h"
#include "escortctl/command.h"
#include "escortctl/publish.h"
#include "escortctl/sign.h"
#include "feed/outbox.h"
#include "output/one_line.h"

namespace escort::ctl {

namespace {

using nlohmann::json;

json approval_json(const Approval& approval) {
    return {{"id", approval.jti},
            {"account", approval.account.empty() ? approval.unit : approval.account},
            {"engineer", approval.engineer.id},
            {"ticket", approval.ticket ? approval.ticket->id : ""},
            {"not_before", approval.nbf},
            {"expires", approval.exp},
            {"emergency", approval.emergency ? json(approval.emergency->reason) : json()}};
}

json list_json(const ApprovalList& list) {
    json approvals = json::array();
    for (const Approval& approval : list.approvals)
        approvals.push_back(approval_json(approval));
    return {{"issuer", list.issuer},  {"audience", list.audience}, {"subject", list.subject},
            {"seq", list.seq},        {"issued", list.iat},        {"expires", list.exp},
            {"approvals", approvals}, {"revoked", list.revoked},   {"break_glass", list.break_glass}};
}

json lease_json(const LeaseDocument& lease) {
    return {{"issuer", lease.issuer}, {"audience", lease.audience}, {"issued", lease.iat},
            {"expires", lease.exp},   {"approval", lease.approval}, {"escort", lease.escort}};
}

json revocation_json(const RevocationDocument& event) {
    return {{"issuer", event.issuer},
            {"audience", event.audience},
            {"issued", event.iat},
            {"id", event.jti},
            {"session", event.session}};
}

json document_json(const SignedDocument& document) {
    if (const auto* list = std::get_if<ApprovalList>(&document)) return list_json(*list);
    if (const auto* lease = std::get_if<LeaseDocument>(&document)) return lease_json(*lease);
    return revocation_json(std::get<RevocationDocument>(document));
}

// The claims that every type may have first, then a list's approvals.
void print_document(const Output& output, const json& document) {
    std::vector<std::pair<std::string, Cell>> pairs{{"issuer", {text_of(document, "issuer")}},
                                                    {"audience", {text_of(document, "audience")}}};
    const auto add = [&](const std::string& title, const char* key) {
        if (document.contains(key)) pairs.emplace_back(title, text_of(document, key));
    };
    add("list", "subject");
    add("seq", "seq");
    pairs.emplace_back("issued", time_cell(number_of(document, "issued")));
    if (document.contains("expires"))
        pairs.emplace_back("expires", time_cell(number_of(document, "expires")));
    add("revoked", "revoked");
    add("approval", "approval");
    add("escort", "escort");
    add("revokes", "session");
    print_pairs(output, pairs);
    for (const json& approval : list_of(document, "approvals")) {
        const std::string ticket = text_of(approval, "ticket");
        const std::string emergency = text_of(approval, "emergency");
        print_pairs(output, {{"approval",
                              {text_of(approval, "id") + " " + text_of(approval, "account") + " engineer " +
                               text_of(approval, "engineer") + (ticket.empty() ? "" : " ticket " + ticket) +
                               " from " + time_cell(number_of(approval, "not_before")).human + " until " +
                               time_cell(number_of(approval, "expires")).human +
                               (emergency.empty() ? "" : " BREAK-GLASS: " + emergency)}}});
    }
}

struct VerifyOptions {
    std::string file;
    TrustFolders folders;
};

Outcome<TrustSet> trust_of(const Context& context, const VerifyOptions& options) {
    TrustFolders folders = options.folders;
    if (folders.trust.empty()) {
        const auto places = context.places();
        if (!places) return tl::unexpected<Failure>(places.error());
        folders.trust = places->trust;
        if (folders.breakglass.empty()) folders.breakglass = places->breakglass;
    }
    auto trust = load_trust(folders);
    if (!trust) return not_so(trust.error());
    for (const Diagnostic& problem : trust->problems)
        context.output.err << one_line(problem.text()) << '\n';
    return std::move(*trust);
}

std::string signer_text(const std::string& key, bool break_glass, const TrustSet& trust) {
    std::string files;
    for (const auto& file : trust.files_of(key))
        files += (files.empty() ? "" : ", ") + file;
    return key + " (" + files + (break_glass ? ", break-glass" : "") + ")";
}

// What a host's agent tells a broker (feed/outbox.h): no host takes it as a document. `iss` is the signer's
// own word: whose key it is the file's name must say.
Outcome<Exit> print_event(const Context& context, const std::string& file, const VerifiedDocument& event,
                          const TrustSet& trust) {
    const auto claims = parse_strict(event.payload, {.string_bytes = kSessionEventLimit});
    if (!claims) return not_so({file, claims.error().text()});
    if (context.json) {
        print_json(context.output, {{"valid", true},
                                    {"typ", event.typ},
                                    {"key", event.key},
                                    {"files", trust.files_of(event.key)},
                                    {"claims", *claims}});
        return Exit::done;
    }
    std::vector<std::pair<std::string, Cell>> pairs{
        {"signed by", {signer_text(event.key, event.break_glass, trust)}}, {"typ", {event.typ}}};
    for (const auto& [claim, value] : claims->items())
        pairs.emplace_back(one_line(claim), value.is_string() ? value.get<std::string>() : value.dump());
    print_pairs(context.output, pairs);
    return Exit::done;
}

Outcome<Exit> verify(const Context& context, const VerifyOptions& options) {
    const auto trust = trust_of(context, options);
    if (!trust) return tl::unexpected<Failure>(trust.error());
    const auto content = read_file(options.file, kDocumentLimit + 1); // and a line end
    if (!content) return not_so(content.error());
    const auto refused = [&](const Refusal& refusal) -> Outcome<Exit> {
        if (context.json)
            print_json(context.output,
                       {{"valid", false}, {"word", to_string(refusal.code)}, {"text", refusal.text}});
        return failure(Exit::not_so, options.file,
                       std::string(to_string(refusal.code)) + ": " + refusal.text);
    };
    if (const auto event = verify_jws(*content, *trust); event && event->typ == kSessionEventType)
        return print_event(context, options.file, *event, *trust);
    // Which issuer may use which key is the settings' word and the daemon's to judge.
    DocumentFacts facts;
    const auto document = judge_document(*content, *trust, std::nullopt, facts);
    if (!document) return refused(document.error());

    json result = document_json(*document);
    if (context.json) {
        result["valid"] = true;
        result["typ"] = facts.typ;
        result["key"] = facts.key;
        result["sha256"] = facts.sha256;
        print_json(context.output, result);
        return Exit::done;
    }
    print_pairs(context.output, {{"signed by", {signer_text(facts.key, facts.break_glass, *trust)}},
                                 {"typ", {facts.typ}},
                                 {"sha256", {facts.sha256}}});
    print_document(context.output, result);
    return Exit::done;
}

Run declare_verify(CLI::App& app) {
    const auto options = std::make_shared<VerifyOptions>();
    app.add_option("FILE", options->file, "The signed document")->required();
    app.add_option("--trust", options->folders.trust,
                   "Folder of trusted public keys (default: by the settings)");
    app.add_option("--breakglass", options->folders.breakglass,
                   "Folder of break-glass keys (default: by the settings; none with --trust)");
    return [options](const Context& context) { return verify(context, *options); };
}

Outcome<Exit> show(const Context& context, const std::string& file) {
    const auto content = read_file(file, kDocumentLimit + 1);
    if (!content) return not_so(content.error());
    const auto document = read_jws_unverified(*content);
    if (!document) return not_so({file, document.error().text});
    const json payload = json::parse(document->payload, nullptr, /*allow_exceptions=*/false);
    if (payload.is_discarded()) return not_so({file, "its payload is not JSON"});
    if (context.json) {
        print_json(context.output, {{"verified", false},
                                    {"alg", document->alg},
                                    {"typ", document->typ},
                                    {"kid", document->kid ? json(*document->kid) : json()},
                                    {"payload", payload}});
        return Exit::done;
    }
    print_pairs(context.output,
                {{"signature", {"NOT VERIFIED: this is what the file says of itself", "not verified"}},
                 {"alg", {document->alg}},
                 {"typ", {document->typ}},
                 {"kid", {document->kid.value_or("")}}});
    context.output.out << payload.dump(2, ' ', true, json::error_handler_t::replace) << '\n';
    return Exit::done;
}

Run declare_show(CLI::App& app) {
    const auto file = std::make_shared<std::string>();
    app.add_option("FILE", *file, "The signed document")->required();
    return [file](const Context& context) { return show(context, *file); };
}

} // namespace

std::vector<Command> document_commands() {
    return {sign_command(),
            publish_command(),
            {"document verify", "Check a document's signature and form; exit 1 when it would be refused",
             declare_verify},
            {"document show", "Print a document without trusting it", declare_show}};
}

} // namespace escort::ctl
