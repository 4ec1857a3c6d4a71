// escortctl approve, revoke: the embedded broker's short way, for evaluation and emergencies.
#include "approvals/document.h"
#include "escortctl/broker.h"
#include "escortctl/command.h"
#include "escortctl/local_list.h"
#include "escortctl/words.h"
#include "output/one_line.h"

namespace escort::ctl {

namespace {

struct ApproveOptions {
    std::string account;
    std::string lasting;
    std::string not_before;
    std::string ticket;
    std::string engineer = "unknown";
    std::string key = kLocalKey;
    std::string host;
    std::vector<std::string> also;
    std::vector<std::string> approvers, citizenship, screening, source, fingerprints, key_ids;
    std::string escort;
    std::vector<std::string> escort_citizenship, escort_screening;
    std::string country;
    std::string asserted_by = "escortctl";
    std::uint32_t max_sessions = 0; // none
    std::string max_duration;
};

// Who is approved, and what he and his session must meet.
Status add_people(const ApproveOptions& options, std::int64_t now, Approval& approval) {
    approval.engineer.id = options.engineer;
    approval.engineer.citizenship = options.citizenship;
    approval.engineer.screening = options.screening;
    if (!options.country.empty())
        approval.engineer.location = Location{options.country, options.asserted_by, now};
    approval.approvers = options.approvers;
    if (!options.escort.empty())
        approval.escort = Escort{options.escort, options.escort_citizenship, options.escort_screening};
    else if (!options.escort_citizenship.empty() || !options.escort_screening.empty())
        return fail("--escort", "is missing: whose citizenship or screening is it?");
    return {};
}

Status add_limits(const ApproveOptions& options, Approval& approval) {
    approval.also = options.also;
    approval.source = options.source;
    approval.ssh = {options.fingerprints, options.key_ids};
    if (options.max_sessions != 0) approval.max_sessions = options.max_sessions;
    if (options.max_duration.empty()) return {};
    approval.max_duration = parse_duration(options.max_duration);
    if (!approval.max_duration)
        return fail("--max-duration", "is no duration: " + options.max_duration,
                    "Write it like 90s, 15m, 1h.");
    return {};
}

Outcome<Approval> approval_of(const ApproveOptions& options, std::int64_t now) {
    const auto lasting = parse_duration(options.lasting);
    if (!lasting)
        return failure(Exit::usage, "--for", "is no duration: " + options.lasting,
                       "Write it like 90s, 15m, 1h.");
    std::int64_t from = now;
    if (!options.not_before.empty()) {
        const auto time = parse_time(options.not_before);
        if (!time)
            return failure(Exit::usage, "--not-before", "is no time: " + options.not_before,
                           "Write it like 2026-01-01T09:30:00Z, or in seconds since the epoch.");
        from = *time;
    }
    auto id = random_id("apr-");
    if (!id) return not_so(id.error());
    Approval approval;
    approval.jti = std::move(*id);
    approval.account = options.account;
    approval.nbf = from;
    approval.exp = from + *lasting;
    if (!options.ticket.empty()) approval.ticket = Ticket{"", options.ticket};
    for (const auto& added : {add_people(options, now, approval), add_limits(options, approval)})
        if (!added) return tl::unexpected<Failure>(Failure{Exit::usage, added.error()});
    return approval;
}

void print_approved(const Context& context, const Approval& approval, const ApprovalList& list) {
    const Output& output = context.output;
    if (context.json) {
        print_json(output,
                   {{"id", approval.jti},
                    {"account", approval.account},
                    {"engineer", approval.engineer.id},
                    {"ticket", approval.ticket ? nlohmann::json(approval.ticket->id) : nlohmann::json()},
                    {"not_before", approval.nbf},
                    {"expires", approval.exp},
                    {"issuer", list.issuer},
                    {"seq", list.seq}});
    } else if (output.terminal) {
        print_pairs(
            output,
            {{"approval", {approval.jti}},
             {"account", {approval.account}},
             {"engineer", {approval.engineer.id}},
             {"from", time_cell(approval.nbf)},
             {"until", {time_text(approval.exp) + " (" + duration_text(approval.exp - output.now) + ")"}}});
        output.out << "\nNext: the engineer may log in now, or when the window opens. To end it early: "
                      "escortctl revoke "
                   << approval.jti << '\n';
    } else {
        output.out << approval.jti << '\n'; // for ID=$(escortctl approve ...)
    }
}

Outcome<Exit> approve(const Context& context, const ApproveOptions& options) {
    const std::int64_t now = context.output.now;
    const auto approval = approval_of(options, now);
    if (!approval) return tl::unexpected<Failure>(approval.error());
    const auto published =
        publish_next(context, options.key, options.host,
                     [&](const std::optional<ApprovalList>& last, const std::string& host_id) {
                         return with_approval(last, host_id, *approval, now);
                     });
    if (!published) return tl::unexpected<Failure>(published.error());
    print_approved(context, *approval, published->list);
    return Exit::done;
}

void declare_people(CLI::App& app, ApproveOptions& options) {
    // A list is the option again and again: an ID must not swallow the words behind it.
    const auto list = [&app](const char* name, std::vector<std::string>& into, const char* help) {
        app.add_option(name, into, help)->take_all()->expected(1)->allow_extra_args(false);
    };
    app.add_option("--engineer", options.engineer, "The engineer's id")->capture_default_str();
    list("--citizenship", options.citizenship, "A citizenship of the engineer: US");
    list("--screening", options.screening, "A screening that the engineer has");
    app.add_option("--location", options.country, "The country the engineer is in: US");
    app.add_option("--asserted-by", options.asserted_by, "Who says so")->capture_default_str();
    app.add_option("--escort", options.escort, "The escort's id");
    list("--escort-citizenship", options.escort_citizenship, "A citizenship of the escort");
    list("--escort-screening", options.escort_screening, "A screening that the escort has");
    list("--approver", options.approvers, "The id of someone who approved");
    list("--also", options.also, "A further support account that the session may turn into");
    list("--source", options.source, "A network the session may come from: 203.0.113.0/24");
    list("--key-fingerprint", options.fingerprints,
         "An SSH key of the engineer: SHA256:..., as ssh-keygen -l has it");
    list("--key-id", options.key_ids, "The key id of the engineer's SSH certificate");
}

Run declare_approve(CLI::App& app) {
    const auto options = std::make_shared<ApproveOptions>();
    app.add_option("ACCOUNT", options->account, "The support account")->required();
    app.add_option("--for", options->lasting, "How long: 90s, 15m, 1h; at most 24h")->required();
    app.add_option("--ticket", options->ticket, "The ticket's id");
    app.add_option("--not-before", options->not_before,
                   "When the window opens (RFC 3339 or epoch); default: now");
    declare_people(app, *options);
    app.add_option("--max-sessions", options->max_sessions, "How many sessions at once")
        ->check(CLI::PositiveNumber);
    app.add_option("--max-duration", options->max_duration, "How long one session may last: 1h");
    app.add_option("--key", options->key, "The private key to sign with")->capture_default_str();
    app.add_option("--host", options->host, "The host's id; default: what the daemon says");
    return [options](const Context& context) { return approve(context, *options); };
}

struct RevokeOptions {
    std::string id;
    std::string key = kLocalKey;
    std::string host;
};

Outcome<Exit> revoke(const Context& context, const RevokeOptions& options) {
    const auto published =
        publish_next(context, options.key, options.host,
                     [&](const std::optional<ApprovalList>& last, const std::string& host_id) {
                         return without_approval(last, host_id, options.id, context.output.now);
                     });
    if (!published) return tl::unexpected<Failure>(published.error());
    const nlohmann::json& ended = object_of(published->verdict, "ended");
    const std::int64_t sessions = number_of(ended, "sessions");
    const std::int64_t processes = number_of(ended, "processes");
    const std::int64_t elapsed = number_of(ended, "elapsed_us");
    if (context.json) {
        print_json(
            context.output,
            {{"id", options.id}, {"sessions", sessions}, {"processes", processes}, {"elapsed_us", elapsed}});
        return Exit::done;
    }
    context.output.out << one_line("Approval " + options.id)
                       << " revoked: " << counted(sessions, "session", "sessions") << ", "
                       << counted(processes, "process", "processes");
    if (sessions == 0)
        context.output.out << '\n';
    else
        context.output.out << " dead within " << elapsed_text(elapsed) << '\n';
    return Exit::done;
}

Run declare_revoke(CLI::App& app) {
    const auto options = std::make_shared<RevokeOptions>();
    app.add_option("ID", options->id, "The approval's id, as 'escortctl approvals' shows it")->required();
    app.add_option("--key", options->key, "The private key to sign with")->capture_default_str();
    app.add_option("--host", options->host, "The host's id; default: what the daemon says");
    return [options](const Context& context) { return revoke(context, *options); };
}

} // namespace

std::vector<Command> broker_commands() {
    return {
        {"approve", "Sign an approval for this host and wait until it is in force", declare_approve, "ID"},
        {"revoke", "Take an approval of this host back; its sessions die", declare_revoke}};
}

} // namespace escort::ctl
