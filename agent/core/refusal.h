// Why a signed document was refused: one word for machines (the journal, --json), one text for people.
#pragma once

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace escort {

enum class RefusalCode {
    not_a_file,          // a symlink, FIFO, folder ... in the spool
    too_large,           // over 16 MiB
    malformed,           // not a compact JWS, or not JSON
    forbidden_header,    // crit, jwk, jku, x5u, x5c, b64
    algorithm_refused,   // none, HMAC, or not the trusted key's own
    untrusted_key,       // signed by no key that is trusted here
    bad_signature,       // names a trusted key, which did not sign these bytes
    unsupported,         // a type or claim that is unknown here
    issuer_not_allowed,  // the `issuers:` setting does not give that issuer that key and type
    account_not_allowed, // an approval for an account outside the issuer's `accounts`
    invalid,             // a claim is missing, unknown, of a wrong type or out of range
    not_for_this_host,   // another audience
    issued_in_future,    // iat over 60 s ahead
    expired,             // the list's exp is past
    rollback,            // seq lower than the last
    equivocation,        // the same seq, other bytes
    seq_jump,            // seq grew by more than 2^32
    too_many_lists,      // over 64 lists an issuer
    too_many_leases,     // 10,000 escorts' leases are held already
    revoked_memory_full, // 100,000 revoked approvals are remembered already
    not_persisted,       // state could not be written: nothing changed, try again
};

// "rollback", "not_for_this_host" ...
[[nodiscard]] const char* to_string(RefusalCode code);

struct Refusal {
    RefusalCode code = RefusalCode::malformed;
    std::string text; // one line; names the claim by its JSON path where there is one
};

// A value, or why the document that should have given it is refused.
template <typename T>
using Judged = tl::expected<T, Refusal>;

[[nodiscard]] inline tl::unexpected<Refusal> refuse(RefusalCode code, std::string text) {
    return tl::unexpected<Refusal>(Refusal{code, std::move(text)});
}

} // namespace escort
