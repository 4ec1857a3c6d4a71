#include "core/refusal.h"

namespace escort {

const char* to_string(RefusalCode code) {
    switch (code) {
    case RefusalCode::not_a_file:
        return "not_a_file";
    case RefusalCode::too_large:
        return "too_large";
    case RefusalCode::malformed:
        return "malformed";
    case RefusalCode::forbidden_header:
        return "forbidden_header";
    case RefusalCode::algorithm_refused:
        return "algorithm_refused";
    case RefusalCode::untrusted_key:
        return "untrusted_key";
    case RefusalCode::bad_signature:
        return "bad_signature";
    case RefusalCode::unsupported:
        return "unsupported";
    case RefusalCode::issuer_not_allowed:
        return "issuer_not_allowed";
    case RefusalCode::account_not_allowed:
        return "account_not_allowed";
    case RefusalCode::invalid:
        return "invalid";
    case RefusalCode::not_for_this_host:
        return "not_for_this_host";
    case RefusalCode::issued_in_future:
        return "issued_in_future";
    case RefusalCode::expired:
        return "expired";
    case RefusalCode::rollback:
        return "rollback";
    case RefusalCode::equivocation:
        return "equivocation";
    case RefusalCode::seq_jump:
        return "seq_jump";
    case RefusalCode::too_many_lists:
        return "too_many_lists";
    case RefusalCode::too_many_leases:
        return "too_many_leases";
    case RefusalCode::revoked_memory_full:
        return "revoked_memory_full";
    case RefusalCode::not_persisted:
        return "not_persisted";
    }
    return "malformed";
}

} // namespace escort
