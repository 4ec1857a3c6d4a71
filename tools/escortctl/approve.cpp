// escortctl approve, revoke: the embedded broker's short way, for evaluation and emergencies.
#include "approvals/document.h"
#include "escortctl/broker.h"
#include "escortctl/command.h"
#include "escortctl/local_list.h"
#include "escortctl/words.h"
#include "output/one_line.h"

#include <fmt/format.h>
#include <sys/random.h>

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
};

Outcome<std::string> new_id() {
    std::uint32_t random = 0;
    if (::getrandom(&random, sizeof random, 0) != static_cast<ssize_t>(sizeof random))
        return failure(Exit::not_so, "approve", "the kernel gave no random number");
    return fmt::format("apr-{:08x}", random);
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
    auto id = new_id();
    if (!id) return tl::unexpected<Failure>(id.error());
    Approval approval;
    approval.jti = std::move(*id);
    approval.account = options.account;
    approval.nbf = from;
    approval.exp = from + *lasting;
    approval.engineer.id = options.engineer;
    if (!options.ticket.empty()) approval.ticket = Ticket{"", options.ticket};
    approval.also = options.also;
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

Run declare_approve(CLI::App& app) {
    const auto options = std::make_shared<ApproveOptions>();
    app.add_option("ACCOUNT", options->account, "The support account")->required();
    app.add_option("--for", options->lasting, "How long: 90s, 15m, 1h; at most 24h")->required();
    app.add_option("--ticket", options->ticket, "The ticket's id");
    app.add_option("--engineer", options->engineer, "The engineer's id")->capture_default_str();
    app.add_option("--not-before", options->not_before,
                   "When the window opens (RFC 3339 or epoch); default: now");
    app.add_option("--also", options->also, "A further support account that the session may turn into")
        ->take_all()
        ->expected(1)
        ->allow_extra_args(false);
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
