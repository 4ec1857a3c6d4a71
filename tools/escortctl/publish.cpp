// escortctl document publish: the broker's side, by hand. Needs no daemon; verifies nothing: that is the
// hosts'.
#include "escortctl/publish.h"

#include "approvals/jws.h"
#include "base/file.h"
#include "courier/bucket.h"
#include "escortctl/published_folder.h"
#include "escortctl/published_name.h"

namespace escort::ctl {

namespace {

using nlohmann::json;

constexpr int kMostReplicas = 5; // of a JetStream stream

struct PublishOptions {
    std::string to;
    std::string key;
    std::string file;
    NatsSettings nats;
    int create = 0;
    std::size_t of_bucket = 0; // options given that only a bucket has
};

// Where it went, as `published`, and more words.
Exit tell(const Context& context, const PublishedName& name, const std::string& where, json more) {
    if (context.json) {
        more.update({{"published", where}, {"kind", name.kind}, {"audience", name.audience}});
        print_json(context.output, more);
    } else {
        context.output.out << where;
        for (const auto& [key, value] : more.items())
            context.output.out << ' ' << key << ' ' << value;
        context.output.out << '\n';
    }
    return Exit::done;
}

Outcome<Exit> publish(const Context& context, PublishOptions options) {
    const auto content = read_file(options.file, kDocumentLimit + 1);
    if (!content) return not_so(content.error());
    const std::string document(document_bytes(*content));
    const auto name = published_name(document);
    if (!name) return not_so({options.file, name.error().why});
    if (!options.to.starts_with("nats://") && !options.to.starts_with("tls://")) {
        if (options.of_bucket > 0)
            return failure(Exit::usage, "--to",
                           "is a folder: the other options are a bucket's (nats://, tls://)");
        const auto path = publish_into(options.to, *name, document, context.output.now);
        if (!path) return not_so(path.error());
        return tell(context, *name, *path, json::object());
    }
    options.nats.servers = {options.to};
    const std::string key = options.key.empty() ? name->key() : options.key;
    const auto revision = courier::put_into_bucket(options.nats, key, document, options.create);
    if (!revision) return not_so(revision.error());
    if (options.create > 0)
        if (auto made = courier::make_event_stream(options.nats, options.create); !made)
            return not_so(
                {made.error().where, made.error().why,
                 "the document is published; it is the hosts' session events that have nowhere to go"});
    return tell(context, *name, key, {{"revision", *revision}});
}

Run declare_publish(CLI::App& app) {
    const auto options = std::make_shared<PublishOptions>();
    app.add_option("FILE", options->file, "The signed document")->required();
    app.add_option("--to", options->to, "A web server's folder, or nats://HOST:PORT, tls://HOST:PORT")
        ->required();
    app.add_option("--key", options->key,
                   "Key of the bucket (default: by the document's audience, kind and issuer)");
    app.add_option("--bucket", options->nats.bucket, "The bucket")->capture_default_str();
    app.add_option("--create", options->create,
                   "Make the bucket, and the stream of session events, where they aren't there, kept by this "
                   "many servers")
        ->check(CLI::Range(1, kMostReplicas));
    app.add_option("--ca", options->nats.tls.ca,
                   "Certificates of authorities that the server's may come from (PEM)");
    app.add_option("--client-cert", options->nats.tls.client_cert, "Client certificate (PEM)");
    app.add_option("--client-key", options->nats.tls.client_key, "Its private key (PEM)");
    app.add_option("--credentials", options->nats.credentials, "NATS credentials (.creds, or an NKey seed)");
    return [options, &app](const Context& context) {
        options->of_bucket = 0;
        for (const char* name :
             {"--key", "--bucket", "--create", "--ca", "--client-cert", "--client-key", "--credentials"})
            options->of_bucket += app.count(name);
        return publish(context, *options);
    };
}

} // namespace

Command publish_command() {
    return {"document publish", "Put a signed document where couriers look", declare_publish};
}

} // namespace escort::ctl
