// escortctl document publish: the broker's side, by hand. Needs no daemon; verifies nothing: that is the hosts'.
#include "escortctl/publish.h"

#include "approvals/jws.h"
#include "base/file.h"
#include "courier/bucket.h"
#include "escortctl/published_folder.h"
#include "escortctl/published_name.h"

namespace escort::ctl {

namespace {

constexpr int kMostReplicas = 5; // of a JetStream stream

struct PublishOptions {
    std::string to;
    std::string key;
    std::string file;
    NatsSource nats;
    int create = 0;
};

tl::unexpected<Failure> not_so(Error error) {
    return tl::unexpected<Failure>(Failure{Exit::not_so, std::move(error)});
}

Outcome<Exit> publish(const Context& context, PublishOptions options) {
    const auto content = read_file(options.file, kDocumentLimit + 1);
    if (!content) return not_so(content.error());
    const std::string document(document_bytes(*content));
    const auto name = published_name(document);
    if (!name) return not_so({options.file, name.error().why});
    const bool to_nats = options.to.starts_with("nats://") || options.to.starts_with("tls://");
    if (!to_nats) {
        if (!options.key.empty()) return failure(Exit::usage, "--key", "is a key of a bucket: only with nats:// or tls://");
        const auto path = publish_into(options.to, *name, document, context.output.now);
        if (!path) return not_so(path.error());
        if (context.json)
            print_json(context.output, {{"published", *path}, {"kind", name->kind}, {"audience", name->audience}});
        else
            context.output.out << *path << '\n';
        return Exit::done;
    }
    options.nats.servers = {options.to};
    const std::string key = options.key.empty() ? name->key() : options.key;
    const auto revision = courier::put_into_bucket(options.nats, key, document, options.create);
    if (!revision) return not_so(revision.error());
    if (context.json)
        print_json(context.output, {{"published", key},
                                    {"revision", *revision},
                                    {"kind", name->kind},
                                    {"audience", name->audience}});
    else
        context.output.out << key << " revision " << *revision << '\n';
    return Exit::done;
}

Run declare_publish(CLI::App& app) {
    const auto options = std::make_shared<PublishOptions>();
    app.add_option("FILE", options->file, "The signed document")->required();
    app.add_option("--to", options->to, "A web server's folder, or nats://HOST:PORT, tls://HOST:PORT")->required();
    app.add_option("--key", options->key, "Key of the bucket (default: by the document's audience, kind and issuer)");
    app.add_option("--bucket", options->nats.bucket, "The bucket")->capture_default_str();
    app.add_option("--create", options->create, "Make the bucket if it isn't there, kept by this many servers")
        ->check(CLI::Range(1, kMostReplicas));
    app.add_option("--ca", options->nats.tls.ca, "Certificates of authorities that the server's may come from (PEM)");
    app.add_option("--client-cert", options->nats.tls.client_cert, "Client certificate (PEM)");
    app.add_option("--client-key", options->nats.tls.client_key, "Its private key (PEM)");
    app.add_option("--credentials", options->nats.credentials, "NATS credentials (.creds)");
    return [options](const Context& context) { return publish(context, *options); };
}

} // namespace

Command publish_command() {
    return {"document publish", "Put a signed document where couriers look", declare_publish};
}

} // namespace escort::ctl
