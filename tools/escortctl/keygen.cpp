// escortctl keygen: a key pair to sign documents with.
#include "approvals/signing.h"
#include "escortctl/command.h"
#include "escortctl/new_file.h"

#include <unistd.h>

namespace escort::ctl {

namespace {

struct KeygenOptions {
    std::string name;
    std::string alg = "EdDSA";
};

struct Pems {
    std::string secret;
    std::string shared;
};

Outcome<Pems> pems_of(const SigningKey& key) {
    const auto secret = private_pem(key);
    if (!secret) return not_so(secret.error());
    const auto shared = public_pem(key);
    if (!shared) return not_so(shared.error());
    return Pems{*secret, *shared};
}

Outcome<Exit> keygen(const Context& context, const KeygenOptions& options) {
    const auto alg = alg_from(options.alg);
    if (!alg || *alg == Alg::rs256)
        return failure(Exit::usage, "--alg", "is not one of EdDSA, ES256, ES384: " + options.alg);
    const auto key = generate_key(*alg);
    if (!key) return not_so(key.error());
    const auto pems = pems_of(*key);
    if (!pems) return tl::unexpected<Failure>(pems.error());

    const std::string secret = options.name + ".key";
    const std::string shared = options.name + ".pem";
    if (auto made = write_new_file(secret, pems->secret, 0600); !made)
        return tl::unexpected<Failure>(made.error());
    if (auto made = write_new_file(shared, pems->shared, 0644); !made) {
        ::unlink(secret.c_str()); // half a pair is of no use and in the way of the next try
        return tl::unexpected<Failure>(made.error());
    }
    const Output& output = context.output;
    if (context.json) {
        print_json(
            output,
            {{"key", secret}, {"pem", shared}, {"thumbprint", key->thumbprint}, {"alg", to_string(*alg)}});
        return Exit::done;
    }
    print_pairs(output, {{"private key", {secret}},
                         {"public key", {shared}},
                         {"algorithm", {to_string(*alg)}},
                         {"thumbprint", {key->thumbprint}}});
    if (output.terminal)
        output.out
            << "\nNext: copy the public key into /etc/escortd/trust.d/ of each host that shall trust it, "
               "name it "
               "in 'issuers:' of\nescortd.yaml, and run 'escortctl reload'. Whoever has the private key can "
               "approve sessions: for more than an\nevaluation keep it off the hosts.\n";
    return Exit::done;
}

Run declare_keygen(CLI::App& app) {
    const auto options = std::make_shared<KeygenOptions>();
    app.add_option("NAME", options->name, "Writes NAME.key (mode 0600) and NAME.pem")->required();
    app.add_option("--alg", options->alg, "EdDSA, ES256 or ES384")->capture_default_str();
    return [options](const Context& context) { return keygen(context, *options); };
}

} // namespace

std::vector<Command> keygen_commands() {
    return {{"keygen", "Make a key pair to sign documents with", declare_keygen, "NAME VALUE"}};
}

} // namespace escort::ctl
