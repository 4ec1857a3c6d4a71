#include "service/doctor.h"

#include "kernel/rules.h"

#include <sys/epoll.h>
#include <utility>

namespace escort {

namespace {

std::vector<AttachedLink> links_of(const Agent& agent) {
    std::vector<AttachedLink> links;
    if (!agent.programs) return links;
    for (const auto& link : agent.programs->links())
        links.push_back({link.name, link.fd.get()});
    return links;
}

} // namespace

void Doctor::examine(const control::Reply& reply) {
    replies_.push_back(reply);
    if (replies_.size() > 1) return;
    std::erase_if(late_, [](const auto& patient) { return !patient->source; });
    count_ = std::make_unique<FiringCount>(links_of(agent_));
    for (const IdentityCall call : kIdentityCalls)
        add(to_string(call), true, start_canary(call, kProbeUid));
    add("fork, exec, exit", false, start_exercise());
    sd_event_source* timer = nullptr;
    if (sd_event_add_time_relative(loop_, &timer, CLOCK_MONOTONIC, kPatienceUs, 10'000, on_timeout, this) >=
        0)
        timer_.reset(timer);
    if (all_ended() || !timer_) finish();
}

void Doctor::add(std::string name, bool must_die, Result<Canary> canary) {
    auto patient = std::make_unique<Patient>();
    patient->owner = this;
    patient->result.name = std::move(name);
    patient->result.must_die = must_die;
    if (canary) {
        patient->canary = std::move(*canary);
        sd_event_source* source = nullptr;
        if (sd_event_add_io(loop_, &source, patient->canary.pidfd.get(), EPOLLIN, on_end, patient.get()) >= 0)
            patient->source.reset(source);
        else
            patient->result.why = "the event loop can't watch it";
    } else {
        patient->result.why = canary.error().text();
    }
    patients_.push_back(std::move(patient));
}

int Doctor::on_end(sd_event_source*, int, std::uint32_t, void* data) {
    auto& patient = *static_cast<Patient*>(data);
    patient.result.end = end_of(patient.canary);
    if (patient.result.end == CanaryEnd::running) return 0;
    patient.source.reset();
    if (!patient.late && patient.owner->all_ended()) patient.owner->finish();
    return 0;
}

int Doctor::on_timeout(sd_event_source*, std::uint64_t, void* self) {
    static_cast<Doctor*>(self)->finish();
    return 0;
}

bool Doctor::all_ended() const {
    for (const auto& patient : patients_)
        if (patient->source) return false;
    return true;
}

// What is still there is killed, and not taken for one that the kernel programs have killed.
void Doctor::finish() {
    Examined examined;
    for (auto& patient : patients_) {
        examined.canaries.push_back(patient->result);
        if (!patient->canary.pidfd.valid() || patient->result.end != CanaryEnd::running) continue;
        kill_canary(patient->canary);
        patient->late = true;
        late_.push_back(std::move(patient));
    }
    examined.firings = count_->take();
    const auto answer = doctor_json(agent_, examined);
    patients_.clear();
    count_.reset();
    timer_.reset();
    for (const auto& reply : std::exchange(replies_, {}))
        reply.ok(answer);
}

} // namespace escort
