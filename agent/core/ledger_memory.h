// What the ledger must remember longer than the lists themselves, across restarts: plain values.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>

namespace escort {

// A list's identity (contract §4): each new list replaces the last of the same identity. Break-glass lists
// stand apart from the issuer's others.
struct ListKey {
    std::string issuer;
    std::string audience;
    std::string subject;
    bool break_glass = false; // last, so that an issuer's lists of both kinds lie together in a map
    auto operator<=>(const ListKey&) const = default;
};

// An approval's identity (contract §4).
struct ApprovalId {
    std::string issuer;
    std::string jti;
    auto operator<=>(const ApprovalId&) const = default;
};

// The newest list accepted of an identity.
struct Sequence {
    std::uint64_t seq = 0;
    std::string sha256;   // of the raw document
    std::int64_t iat = 0; // seconds since the epoch
    bool kept = false;    // its raw document is kept, so that it can come back into force at a start
};

// An approval that must never grant again.
struct Tombstone {
    std::string account;    // or unit; empty where it was never seen
    std::int64_t until = 0; // remembered until then, seconds since the epoch; the approval's exp where known
    bool absent = false;    // ended by its absence from the next list, not named in `revoked`
};

struct LedgerMemory {
    std::map<ListKey, Sequence> sequences;
    std::map<ApprovalId, Tombstone> revoked;
};

} // namespace escort
