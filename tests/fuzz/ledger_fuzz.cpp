// The ledger over any course of lists, revocations, hours and restarts: numbers only grow, what is dead stays
// dead, and no restart and no clock gives anything back. Each step takes three bytes of the input.
#include "fuzz.h"

#include "core/ledger.h"

#include <algorithm>
#include <set>

using namespace escort;

namespace {

constexpr std::int64_t kT0 = 1'767'225'600;
constexpr std::int64_t kApprovalLife = 20 * 3600; // longer than all steps together
constexpr int kSteps = 60;

// One step's bits, the lowest first.
class Bits {
  public:
    explicit Bits(std::string_view bytes) {
        for (const char byte : bytes)
            bits_ = bits_ << 8 | static_cast<unsigned char>(byte);
    }
    unsigned take(unsigned count) {
        const unsigned value = bits_ & ((1U << count) - 1);
        bits_ >>= count;
        return value;
    }

  private:
    unsigned bits_ = 0;
};

std::string jti_of(unsigned number) {
    return "apr-" + std::to_string(number);
}

class Course {
  public:
    void step(Bits bits) {
        switch (bits.take(3)) {
        case 0:
            revoke(bits);
            break;
        case 1:
            wait(bits);
            break;
        case 2:
            restart();
            break;
        default:
            list(bits);
            break;
        }
        for (const auto& id : granted())
            fuzz::must(!dead_.contains(id), "what was revoked, or went, never grants again");
    }

  private:
    std::set<ApprovalId> granted() const {
        std::set<ApprovalId> ids;
        for (const auto& candidate : ledger_.all(now_))
            if (candidate.admits()) ids.insert(candidate.id());
        return ids;
    }
    std::set<ApprovalId> listed() const {
        std::set<ApprovalId> ids;
        for (const auto* list : ledger_.lists())
            for (const auto& approval : list->approvals)
                ids.insert({list->issuer, approval.jti});
        return ids;
    }

    void list(Bits bits) {
        ApprovalList list;
        list.issuer = bits.take(1) != 0 ? "a" : "b";
        list.audience = bits.take(1) != 0 ? "host:h" : "group:g";
        list.subject = bits.take(1) != 0 ? "s" : "";
        list.break_glass = bits.take(3) == 0;
        const unsigned number = bits.take(4);
        list.iat = now_.trusted;
        list.exp = now_.trusted + (bits.take(1) != 0 ? 300 : 3600);
        const unsigned held = bits.take(4), revoked = bits.take(4);
        for (unsigned i = 0; i < 4; ++i) {
            if ((held >> i & 1) != 0) {
                Approval approval;
                approval.jti = jti_of(i);
                approval.account = "azsupport";
                approval.nbf = kT0;
                approval.exp = kT0 + kApprovalLife + i;
                list.approvals.push_back(std::move(approval));
            }
            if ((revoked >> i & 1) != 0 && !list.break_glass) list.revoked.push_back(jti_of(i));
        }
        const ListKey key{list.issuer, list.audience, list.subject, list.break_glass};
        const auto last = ledger_.memory().sequences.find(key);
        const bool known = last != ledger_.memory().sequences.end();
        const std::uint64_t before = known ? last->second.seq : 0;
        list.seq = number == 0 ? before : number == 1 ? before + kSeqJumpLimit + 1 : before + number;
        if (number > 12) list.seq = number;
        list.sha256 = std::to_string(bytes_++);
        const std::uint64_t seq = list.seq;
        const auto names = list.revoked;
        const auto was = listed();
        const auto accepted = ledger_.accept(std::move(list), now_);
        fuzz::must(!accepted || !known || (seq > before && seq - before <= kSeqJumpLimit),
                   "numbers only grow, and by no leap");
        fuzz::must(ledger_.memory().sequences.contains(key) || !accepted, "what is accepted is remembered");
        if (!accepted) {
            fuzz::must(listed() == was, "what is refused changes nothing");
            return;
        }
        for (const auto& jti : names)
            dead_.insert({key.issuer, jti});
        for (const auto& id : was)
            if (!listed().contains(id)) dead_.insert(id);
    }

    void revoke(Bits bits) {
        const auto jti = jti_of(bits.take(2));
        std::vector<std::string> issuers{bits.take(1) != 0 ? "a" : "b"};
        if (bits.take(1) != 0) issuers.emplace_back(issuers[0] == "a" ? "b" : "a");
        const auto before = granted();
        const auto plan = ledger_.plan_revocation(jti, issuers, now_);
        if (!plan) return;
        for (const auto& [id, stone] : plan->tombstones)
            dead_.insert(id);
        (void)ledger_.commit(*plan);
        for (const auto& issuer : issuers)
            fuzz::must(!granted().contains({issuer, jti}), "an event takes effect at once");
        for (const auto& id : before)
            fuzz::must(id.jti == jti || granted().contains(id), "an event takes back nothing else");
    }

    // Both clocks, or the boot clock alone: a wall clock that stands still gains nothing.
    void wait(Bits bits) {
        const std::int64_t seconds = bits.take(9);
        now_.boot_ns += static_cast<std::uint64_t>(seconds) * kNsPerSecond;
        if (bits.take(2) != 0) now_.trusted += seconds;
        std::map<std::pair<ApprovalId, const ApprovalList*>, std::uint64_t> ends;
        for (const auto& one : ledger_.all(now_))
            ends[{one.id(), one.list}] = one.deadline_live_boot_ns;
        ledger_.retime(now_);
        for (const auto& one : ledger_.all(now_))
            fuzz::must(one.deadline_live_boot_ns <= ends.at({one.id(), one.list}),
                       "no look at the clocks moves an end back");
    }

    void restart() {
        const auto before = granted();
        Ledger fresh(settings_, ledger_.memory());
        for (const auto* list : ledger_.lists())
            fuzz::must(fresh.reinstate(*list, now_).has_value(), "what is in force comes back");
        ledger_ = std::move(fresh);
        for (const auto& id : before)
            fuzz::must(granted().contains(id), "a restart takes nothing away");
    }

    LedgerSettings settings_{"h", {"g"}, 0};
    Ledger ledger_{settings_};
    Moment now_{kT0, 1000 * kNsPerSecond};
    std::set<ApprovalId> dead_;
    int bytes_ = 0;
};

} // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    auto bytes = fuzz::text_of(data, size);
    Course course;
    for (int i = 0; i < kSteps && bytes.size() >= 3; ++i, bytes.remove_prefix(3))
        course.step(Bits(bytes.substr(0, 3)));
    return 0;
}
