// escortctl document sign, verify, show: all without a daemon.
#include "approvals/document.h"
#include "approvals/jws.h"
#include "approvals/signing.h"
#include "approvals/trust.h"
#include "base/file.h"
#include "escortctl/command.h"
#include "escortctl/payload.h"
#include "output/one_line.h"

namespace escort::ctl {

namespace {

using nlohmann::json;

tl::unexpected<Failure> not_so(Error error) {
    return tl::unexpected<Failure>(Failure{Exit::not_so, std::move(error)});
}

struct SignOptions {
    std::string key;
    std::string type = "approvals";
    std::string file;
    std::string out;
    bool force = false;
};

Outcome<Exit> sign(const Context& context, const SignOptions& options) {
    if (options.type == "presence" || options.type == "revocation")
        return failure(Exit::usage, "--type " + options.type, "is not supported yet");
    if (options.type != "approvals")
        return failure(Exit::usage, "--type",
                       "is not one of approvals, presence, revocation: " + options.type);
    const auto content = read_file(options.file, kDocumentLimit);
    if (!content) return not_so(content.error());
    Diagnostics diagnostics;
    auto claims = claims_from(options.file, *content, diagnostics);
    if (!claims) {
        for (const Diagnostic& diagnostic : diagnostics)
            context.output.err << one_line(diagnostic.text()) << '\n';
        return failure(Exit::not_so, options.file, "holds no claims that can be read");
    }
    add_defaults(*claims, context.output.now);
    const std::string payload = claims->dump(-1, ' ', false, json::error_handler_t::replace);
    if (!options.force)
        if (const auto checked = parse_approvals(payload); !checked)
            return failure(Exit::not_so, options.file, checked.error().text,
                           "Sign it all the same with --force.");

    const auto key = load_signing_key(options.key);
    if (!key) return not_so(key.error());
    const auto document = sign_jws(*key, kApprovalsType, payload);
    if (!document) return not_so(document.error());
    if (!options.out.empty()) {
        if (const auto written = write_file_atomically(options.out, *document, 0644); !written)
            return not_so(written.error());
        return Exit::done;
    }
    if (context.json)
        print_json(context.output,
                   {{"document", *document}, {"sha256", sha256_hex(*document)}, {"key", key->thumbprint}});
    else
        context.output.out << *document << '\n';
    return Exit::done;
}

Run declare_sign(CLI::App& app) {
    const auto options = std::make_shared<SignOptions>();
    app.add_option("--key", options->key, "The private key (PEM)")->required();
    app.add_option("--type", options->type, "approvals")->required();
    app.add_option("--out", options->out, "Write it there, by rename, instead of to stdout");
    app.add_flag("--force", options->force, "Sign claims that every host will refuse (for tests)");
    app.add_option("FILE", options->file, "The claims, as YAML or JSON")->required();
    return [options](const Context& context) { return sign(context, *options); };
}

json approval_json(const Approval& approval) {
    return {{"id", approval.jti},
            {"account", approval.account.empty() ? approval.unit : approval.account},
            {"engineer", approval.engineer.id},
            {"ticket", approval.ticket ? approval.ticket->id : ""},
            {"not_before", approval.nbf},
            {"expires", approval.exp}};
}

json list_json(const ApprovalList& list) {
    json approvals = json::array();
    for (const Approval& approval : list.approvals)
        approvals.push_back(approval_json(approval));
    return {{"issuer", list.issuer},  {"audience", list.audience}, {"subject", list.subject},
            {"seq", list.seq},        {"issued", list.iat},        {"expires", list.exp},
            {"approvals", approvals}, {"revoked", list.revoked}};
}

void print_list(const Output& output, const json& list) {
    print_pairs(output, {{"issuer", {text_of(list, "issuer")}},
                         {"audience", {text_of(list, "audience")}},
                         {"list", {text_of(list, "subject")}},
                         {"seq", {text_of(list, "seq")}},
                         {"issued", time_cell(number_of(list, "issued"))},
                         {"expires", time_cell(number_of(list, "expires"))},
                         {"revoked", {text_of(list, "revoked")}}});
    for (const json& approval : list_of(list, "approvals")) {
        const std::string ticket = text_of(approval, "ticket");
        print_pairs(output, {{"approval",
                              {text_of(approval, "id") + " " + text_of(approval, "account") + " engineer " +
                               text_of(approval, "engineer") + (ticket.empty() ? "" : " ticket " + ticket) +
                               " from " + time_cell(number_of(approval, "not_before")).human + " until " +
                               time_cell(number_of(approval, "expires")).human}}});
    }
}

struct VerifyOptions {
    std::string file;
    std::string trust;
};

Outcome<TrustSet> trust_of(const Context& context, const VerifyOptions& options) {
    std::string folder = options.trust;
    if (folder.empty()) {
        const auto places = context.places();
        if (!places) return tl::unexpected<Failure>(places.error());
        folder = places->trust;
    }
    auto trust = load_trust(folder);
    if (!trust) return not_so(trust.error());
    for (const Diagnostic& problem : trust->problems)
        context.output.err << one_line(problem.text()) << '\n';
    return std::move(*trust);
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
    const auto document = verify_jws(*content, *trust);
    if (!document) return refused(document.error());
    if (const auto type = check_type(document->typ); !type) return refused(type.error());
    const auto list = parse_approvals(document->payload);
    if (!list) return refused(list.error());

    json result = list_json(*list);
    if (context.json) {
        result["valid"] = true;
        result["key"] = document->key;
        result["sha256"] = document->sha256;
        print_json(context.output, result);
        return Exit::done;
    }
    std::string files;
    for (const auto& file : trust->files_of(document->key))
        files += (files.empty() ? "" : ", ") + file;
    print_pairs(context.output,
                {{"signed by", {document->key + " (" + files + ")"}}, {"sha256", {document->sha256}}});
    print_list(context.output, result);
    return Exit::done;
}

Run declare_verify(CLI::App& app) {
    const auto options = std::make_shared<VerifyOptions>();
    app.add_option("FILE", options->file, "The signed document")->required();
    app.add_option("--trust", options->trust, "Folder of trusted public keys (default: by the settings)");
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
    return {{"document sign", "Sign a document", declare_sign},
            {"document verify", "Check a document's signature and form; exit 1 when it would be refused",
             declare_verify},
            {"document show", "Print a document without trusting it", declare_show}};
}

} // namespace escort::ctl
