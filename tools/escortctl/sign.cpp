// escortctl document sign: for evaluation, for break-glass, and as an example for brokers. Needs no daemon.
#include "escortctl/sign.h"

#include "approvals/document.h"
#include "approvals/jws.h"
#include "approvals/lease.h"
#include "approvals/revocation.h"
#include "approvals/signing.h"
#include "base/file.h"
#include "escortctl/payload.h"
#include "output/one_line.h"

namespace escort::ctl {

namespace {

using nlohmann::json;

struct SignOptions {
    std::string key;
    std::string type = "approvals";
    std::string file;
    std::string out;
    bool force = false;
};

// Why every host would refuse such claims; nothing where they fit.
std::optional<Refusal> fault(const std::string& payload, PayloadType type) {
    const auto refusal = [](const auto& judged) {
        return judged ? std::nullopt : std::optional(judged.error());
    };
    if (type == PayloadType::presence) return refusal(parse_lease(payload));
    if (type == PayloadType::revocation) return refusal(parse_revocation(payload));
    const auto list = parse_approvals(payload);
    if (!list) return list.error();
    return refusal(check_emergencies(*list, type == PayloadType::breakglass));
}

const char* header_type(PayloadType type) {
    if (type == PayloadType::presence) return kPresenceType;
    return type == PayloadType::revocation ? kRevocationType : kApprovalsType;
}

Outcome<std::string> payload_of(const Context& context, const SignOptions& options, PayloadType type) {
    const auto content = read_file(options.file, kDocumentLimit);
    if (!content) return not_so(content.error());
    Diagnostics diagnostics;
    auto claims = claims_from(options.file, *content, diagnostics);
    if (!claims) {
        for (const Diagnostic& diagnostic : diagnostics)
            context.output.err << one_line(diagnostic.text()) << '\n';
        return failure(Exit::not_so, options.file, "holds no claims that can be read");
    }
    if (auto added = add_defaults(*claims, type, context.output.now); !added) return not_so(added.error());
    std::string payload = claims->dump(-1, ' ', false, json::error_handler_t::replace);
    if (!options.force)
        if (const auto wrong = fault(payload, type))
            return failure(Exit::not_so, options.file, wrong->text, "Sign it all the same with --force.");
    return payload;
}

Outcome<Exit> sign(const Context& context, const SignOptions& options) {
    const auto type = payload_type(options.type);
    if (!type)
        return failure(Exit::usage, "--type",
                       "is not one of approvals, breakglass, presence, revocation: " + options.type);
    const auto payload = payload_of(context, options, *type);
    if (!payload) return tl::unexpected<Failure>(payload.error());
    const auto key = load_signing_key(options.key);
    if (!key) return not_so(key.error());
    if (key->alg == Alg::rs256 && *type != PayloadType::revocation)
        return failure(Exit::not_so, options.key, "is an RSA key: these sign revocations alone");
    const auto document = sign_jws(*key, header_type(*type), *payload);
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
    app.add_option("--type", options->type, "approvals, breakglass, presence or revocation")->required();
    app.add_option("--out", options->out, "Write it there, by rename, instead of to stdout");
    app.add_flag("--force", options->force, "Sign claims that every host will refuse (for tests)");
    app.add_option("FILE", options->file, "The claims, as YAML or JSON")->required();
    return [options](const Context& context) { return sign(context, *options); };
}

} // namespace

Command sign_command() {
    return {"document sign", "Sign a document", declare_sign};
}

} // namespace escort::ctl
