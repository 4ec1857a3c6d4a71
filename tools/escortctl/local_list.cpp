#include "escortctl/local_list.h"

#include "approvals/document.h"
#include "approvals/jws.h"
#include "base/file.h"
#include "escortctl/broker.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <sys/file.h>

namespace escort::ctl {

namespace {

using nlohmann::json;

Outcome<Fd> lock(const std::string& key_path) {
    Fd file(::open(key_path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!file.valid() && errno == ENOENT)
        return failure(
            Exit::not_so, key_path, "is not there",
            "Make a key with 'escortctl keygen', copy its .pem into trust.d, run 'escortctl reload'.");
    if (!file.valid())
        return failure(errno == EACCES ? Exit::not_permitted : Exit::not_so, key_path,
                       std::string("can't be opened: ") + std::strerror(errno));
    while (::flock(file.get(), LOCK_EX) != 0)
        if (errno != EINTR)
            return failure(Exit::not_so, key_path, std::string("can't be locked: ") + std::strerror(errno));
    return file;
}

Outcome<std::string> host_id_of(const Context& context) {
    const auto status = context.ask("status");
    if (!status) return tl::unexpected<Failure>(status.error());
    const std::string id = text_of(*status, "host_id");
    if (id.empty())
        return failure(Exit::not_so, "escortd", "does not say this host's id", "Give it by --host.");
    return id;
}

// The daemon has verified these documents; they come over root's own socket.
Outcome<std::optional<ApprovalList>> last_list(const Context& context, const std::string& host_id) {
    const auto documents = context.ask("documents");
    if (!documents) return tl::unexpected<Failure>(documents.error());
    for (const json& document : *documents) {
        if (text_of(document, "issuer") != local_issuer(host_id) ||
            text_of(document, "audience") != "host:" + host_id ||
            text_of(document, "subject") != kLocalSubject)
            continue;
        const auto read = read_jws_unverified(text_of(document, "raw"));
        if (!read) return not_so({"this host's last list", read.error().text});
        const auto list = parse_approvals(read->payload);
        if (!list) return not_so({"this host's last list", list.error().text});
        return *list;
    }
    return std::nullopt;
}

std::string hint_for(const std::string& word) {
    if (word == "untrusted_key")
        return "Copy the key's .pem into /etc/escortd/trust.d/, then run 'escortctl reload'.";
    if (word == "issuer_not_allowed")
        return "Name this host's issuer and key in 'issuers:' of /etc/escortd/escortd.yaml, then restart "
               "escortd.";
    if (word == "account_not_allowed")
        return "The issuer's 'accounts:' in escortd.yaml don't name this account.";
    if (word == "expired" || word == "issued_in_future")
        return "Compare this host's clock with the true time.";
    return "";
}

Outcome<json> deliver(const Context& context, const ApprovalList& list, const std::string& document) {
    const auto places = context.places();
    if (!places) return tl::unexpected<Failure>(places.error());
    const std::string path = places->spool + "/local-" + std::to_string(list.seq) + ".jws";
    // base/file.h writes under another name and renames: the daemon sees all of it or nothing.
    if (const auto written = write_file_atomically(path, document, 0640); !written)
        return not_so(written.error());

    auto verdict = context.ask("document_result", {{"sha256", sha256_hex(document)}}, kUntilDone);
    if (!verdict) return verdict;
    const std::string outcome = text_of(*verdict, "outcome");
    if (outcome == "accepted") return verdict;
    const std::string text = text_of(*verdict, "text");
    const std::string word = text_of(*verdict, "word");
    return failure(Exit::not_so, "escortd", outcome + " the list: " + (text.empty() ? word : text),
                   hint_for(word));
}

} // namespace

Outcome<Published> publish_next(const Context& context, const std::string& key_path, std::string host_id,
                                const NextList& next) {
    const auto held = lock(key_path); // until the end of this function
    if (!held) return tl::unexpected<Failure>(held.error());
    const auto key = load_signing_key(key_path);
    if (!key) return not_so(key.error());
    if (host_id.empty()) {
        auto asked = host_id_of(context);
        if (!asked) return tl::unexpected<Failure>(asked.error());
        host_id = std::move(*asked);
    }
    const auto last = last_list(context, host_id);
    if (!last) return tl::unexpected<Failure>(last.error());
    const auto list = next(*last, host_id);
    if (!list) return not_so(list.error());

    const std::string payload = to_payload(*list);
    // The strict reader first: an account or ticket that no document may hold is said here, with its claim's
    // name.
    if (const auto checked = parse_approvals(payload); !checked)
        return failure(Exit::usage, "approval", checked.error().text);
    const auto document = sign_jws(*key, kApprovalsType, payload);
    if (!document) return not_so(document.error());
    const auto verdict = deliver(context, *list, *document);
    if (!verdict) return tl::unexpected<Failure>(verdict.error());
    return Published{*list, *verdict};
}

} // namespace escort::ctl
