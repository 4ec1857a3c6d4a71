#include "courier/courier.h"

#include "base/clock.h"
#include "base/file.h"
#include "courier/caep_source.h"
#include "courier/https_source.h"
#include "courier/nats_source.h"

#include <csignal>
#include <cstdio>
#include <random>
#include <sys/inotify.h>
#include <systemd/sd-daemon.h>

namespace escort::courier {

namespace {

constexpr std::uint64_t kReportMs = 100;      // changes that come together are written once
constexpr std::uint64_t kAgainMs = 5'000;     // where it could not be written
constexpr std::uint64_t kTrustMs = 5'000;     // after a key has changed
constexpr std::uint64_t kOnceMoreMs = 60'000; // after that
constexpr mode_t kReportMode = 0644;

sd_event* new_loop() {
    sd_event* loop = nullptr;
    return sd_event_default(&loop) >= 0 ? loop : nullptr;
}

// Digits aside: how many milliseconds it took makes no other error.
bool same_error(std::string one, std::string other) {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    std::erase_if(one, is_digit);
    std::erase_if(other, is_digit);
    return one == other;
}

int on_signal(sd_event_source* source, const signalfd_siginfo*, void*) {
    return sd_event_exit(sd_event_source_get_event(source), 0);
}

// From the kernel each time: nothing may be guessed from what went before, and it is asked seldom.
double random_fraction() {
    std::random_device device;
    return static_cast<double>(device()) / (static_cast<double>(std::random_device::max()) + 1);
}

} // namespace

Courier::Courier(Settings settings)
    : settings_(std::move(settings)),
      loop_(new_loop()),
      handover_(settings_.paths.spool),
      started_ns_(boot_ns()) {
    ground_.loop = loop_.get();
    ground_.handover = &handover_;
    ground_.host_id = settings_.host_id;
    ground_.groups = settings_.groups;
    ground_.random = random_fraction;
    report_soon_ = std::make_unique<Alarm>(loop_.get(), [this] {
        report_due_ = false;
        write_report();
    });
    ground_.report_changed = [this] {
        if (!report_due_) report_due_ = report_soon_->in_ms(kReportMs);
    };
}

Courier::~Courier() {
    sources_.clear(); // before what they stand on
}

void Courier::add_sources() {
    for (const auto& source : settings_.courier.sources) {
        if (const auto* nats = std::get_if<NatsSettings>(&source))
            sources_.push_back(std::make_unique<NatsSource>(*nats, settings_.paths.outbox, ground_));
        else if (const auto* caep = std::get_if<CaepSettings>(&source))
            sources_.push_back(std::make_unique<CaepSource>(*caep, ground_));
        else if (const auto* https = std::get_if<HttpsSettings>(&source))
            for (auto& url : addresses_of(https->url, settings_.host_id, settings_.groups))
                sources_.push_back(std::make_unique<HttpsSource>(*https, std::move(url), ground_));
    }
}

int Courier::run() {
    if (!loop_) return 1;
    for (const int number : {SIGTERM, SIGINT}) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, number);
        sigprocmask(SIG_BLOCK, &set, nullptr); // in every thread to come
        sd_event_source* source = nullptr;
        if (sd_event_add_signal(loop_.get(), &source, number, on_signal, this) >= 0)
            signals_.emplace_back(source);
    }
    if (auto opened = handover_.open(); !opened) {
        (void)std::fprintf(stderr, "escort-courier: %s\n", opened.error().text().c_str());
        return 1;
    }
    add_sources();
    if (sources_.empty()) {
        sd_notify(0, "READY=1");
        (void)std::fprintf(stderr, "<6>no courier.sources in the settings: nothing to do\n");
        return 0;
    }
    (void)sd_event_set_watchdog(loop_.get(), 1);
    watch_trust();
    write_report();
    sd_notify(0, "READY=1");
    for (auto& source : sources_)
        source->start();
    const int result = sd_event_loop(loop_.get());
    sd_notify(0, "STOPPING=1");
    return result < 0 ? 1 : 0;
}

// What the daemon has refused for want of a key it would never be offered again: a source tells of changes
// alone. The daemon reads its keys when it is told to, some time after they have changed: so twice.
void Courier::watch_trust() {
    again_ = std::make_unique<Alarm>(loop_.get(), [this] {
        handover_.forget();
        for (auto& source : sources_)
            source->ask_again();
        if (asked_again_++ == 0) again_->in_ms(kOnceMoreMs);
    });
    const auto changed = [](sd_event_source*, const inotify_event*, void* self) {
        auto& courier = *static_cast<Courier*>(self);
        courier.asked_again_ = 0;
        courier.again_->in_ms(kTrustMs);
        return 0;
    };
    sd_event_source* source = nullptr;
    if (sd_event_add_inotify(loop_.get(), &source, settings_.paths.trust.c_str(),
                             IN_CLOSE_WRITE | IN_MOVED_TO | IN_ONLYDIR, changed, this) >= 0)
        trust_.reset(source);
}

CourierReport Courier::report() const {
    CourierReport report;
    report.started_ns = started_ns_;
    for (const auto& source : sources_) {
        report.sources.push_back(source->report());
        if (const auto* events = source->events()) report.events = *events;
    }
    return report;
}

// Once for each change, not for each try: the journal is read by people.
void Courier::tell_journal(const SourceReport& before, const SourceReport& now) {
    const bool fails_anew = now.state == SourceState::failing && before.state != SourceState::failing;
    const bool works_again = now.state == SourceState::working && before.state != SourceState::working;
    if (fails_anew || (!works_again && !same_error(before.last_error, now.last_error)))
        (void)std::fprintf(stderr, "<4>%s: %s\n", now.name.c_str(), now.last_error.c_str());
    else if (works_again)
        (void)std::fprintf(stderr, "<6>%s: works\n", now.name.c_str());
}

void Courier::write_report() {
    const CourierReport now = report();
    if (now == written_ && !report_failing_) return;
    for (std::size_t i = 0; i < now.sources.size(); i++)
        tell_journal(i < written_.sources.size() ? written_.sources[i] : SourceReport{}, now.sources[i]);
    if (!now.events.last_error.empty() && !same_error(now.events.last_error, written_.events.last_error))
        (void)std::fprintf(stderr, "<4>session events: %s\n", now.events.last_error.c_str());
    const auto written = write_file_atomically(report_path(settings_.paths.run), to_json(now), kReportMode);
    if (!written && !report_failing_)
        (void)std::fprintf(stderr, "<4>%s: `escortctl status` knows nothing of the sources\n",
                           written.error().text().c_str());
    report_failing_ = !written;
    written_ = now;
    if (!written) report_due_ = report_soon_->in_ms(kAgainMs);
}

} // namespace escort::courier
