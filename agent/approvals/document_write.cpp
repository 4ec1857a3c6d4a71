// The inverse of parse_approvals: what a broker signs.
#include "approvals/document.h"

#include <nlohmann/json.hpp>

namespace escort {

namespace {

using nlohmann::ordered_json;

void put(ordered_json& into, const char* name, const std::string& text) {
    if (!text.empty()) into[name] = text;
}

void put(ordered_json& into, const char* name, const std::vector<std::string>& texts) {
    if (!texts.empty()) into[name] = texts;
}

ordered_json engineer_json(const Engineer& engineer) {
    ordered_json out{{"id", engineer.id}};
    put(out, "name", engineer.name);
    put(out, "employer", engineer.employer);
    put(out, "citizenship", engineer.citizenship);
    put(out, "screening", engineer.screening);
    if (engineer.location)
        out["location"] = {{"country", engineer.location->country},
                           {"asserted_by", engineer.location->asserted_by},
                           {"at", engineer.location->at}};
    return out;
}

ordered_json escort_json(const Escort& escort) {
    ordered_json out{{"id", escort.id}};
    put(out, "citizenship", escort.citizenship);
    put(out, "screening", escort.screening);
    return out;
}

ordered_json approval_json(const Approval& approval) {
    ordered_json out{{"jti", approval.jti}};
    put(out, "account", approval.account);
    put(out, "unit", approval.unit);
    out["nbf"] = approval.nbf;
    out["exp"] = approval.exp;
    out["engineer"] = engineer_json(approval.engineer);
    if (approval.escort) out["escort"] = escort_json(*approval.escort);
    if (approval.ticket) {
        put(out["ticket"], "system", approval.ticket->system);
        out["ticket"]["id"] = approval.ticket->id;
    }
    put(out, "approvers", approval.approvers);
    put(out, "source", approval.source);
    if (!approval.ssh.fingerprints.empty() || !approval.ssh.key_ids.empty()) {
        put(out["ssh"], "fingerprints", approval.ssh.fingerprints);
        put(out["ssh"], "key_ids", approval.ssh.key_ids);
    }
    put(out, "also", approval.also);
    if (approval.max_sessions) out["max_sessions"] = *approval.max_sessions;
    if (approval.max_duration) out["max_duration"] = *approval.max_duration;
    if (approval.emergency)
        out["emergency"] = {{"authority", approval.emergency->authority},
                            {"reason", approval.emergency->reason}};
    return out;
}

} // namespace

std::string to_payload(const ApprovalList& list) {
    ordered_json out{{"iss", list.issuer}, {"aud", list.audience}};
    put(out, "sub", list.subject);
    out["iat"] = list.iat;
    out["exp"] = list.exp;
    out["seq"] = list.seq;
    out["approvals"] = ordered_json::array();
    for (const Approval& approval : list.approvals)
        out["approvals"].push_back(approval_json(approval));
    put(out, "revoked", list.revoked);
    // What is no UTF-8 becomes U+FFFD: the reader would refuse it, and dump() would throw.
    return out.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
}

} // namespace escort
