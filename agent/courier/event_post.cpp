#include "courier/event_post.h"

#include "base/file.h"
#include "courier/answer.h"
#include "feed/keys.h"

#include <algorithm>
#include <filesystem>
#include <sys/inotify.h>

namespace escort::courier {

namespace {

constexpr std::uint64_t kLookMs = 60'000;

} // namespace

EventPost::EventPost(Ground ground)
    : ground_(std::move(ground)),
      again_(ground_.loop,
             [this] {
                 pausing_ = false;
                 send_more();
             }),
      answer_(ground_.loop, [this] { failed("the broker does not acknowledge"); }),
      look_(ground_.loop, [this] { watch(); }) {}

void EventPost::start() {
    watch();
}

void EventPost::watch() {
    sd_event_source* source = nullptr;
    const int error = sd_event_add_inotify(ground_.loop, &source, ground_.folder.c_str(),
                                           IN_MOVED_TO | IN_DELETE | IN_ONLYDIR, on_change, this);
    if (error < 0) {
        report_.last_error = ground_.folder + ": " + std::generic_category().message(-error) +
                             " (systemd-tmpfiles --create escortd.conf)";
        ground_.report_changed();
        look_.in_ms(kLookMs);
        return;
    }
    watch_.reset(source);
    list();
}

int EventPost::on_change(sd_event_source*, const inotify_event* event, void* self) {
    auto& post = *static_cast<EventPost*>(self);
    if ((event->mask & IN_IGNORED) != 0) { // the folder has gone
        post.watch_.reset();
        post.look_.in_ms(kLookMs);
    } else if ((event->mask & IN_Q_OVERFLOW) != 0) {
        post.list();
    } else if ((event->mask & IN_DELETE) != 0) {
        post.waiting_.erase(event->name);
    } else {
        post.noticed(event->name);
        post.send_more();
    }
    return 0;
}

void EventPost::list() {
    waiting_.clear();
    more_in_folder_ = false;
    std::error_code error;
    std::filesystem::directory_iterator entries(ground_.folder, error);
    for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error))
        noticed(entries->path().filename().string());
    send_more();
}

void EventPost::noticed(std::string_view file) {
    if (file <= report_.delivered || !parse_event_name(file)) return;
    waiting_.emplace(file);
    if (waiting_.size() <= kMostWaiting) return;
    waiting_.erase(std::prev(waiting_.end())); // the first ones go first
    more_in_folder_ = true;
}

void EventPost::connected() {
    connected_ = true;
    pausing_ = false;
    sent_.clear();
    answer_.off();
    again_.off();
    send_more();
}

// False: it can't be sent, now or ever.
bool EventPost::add(const std::string& file, std::vector<OutgoingEvent>& to) {
    const auto name = parse_event_name(file);
    auto document = read_file(ground_.folder + "/" + file, kSessionEventLimit, Follow::no);
    if (name && document && check_compact_jws(*document)) {
        const std::string id = key_part(ground_.host_id) + "." + event_id(*name);
        sent_.emplace(id, file);
        to.push_back({id, event_subject(ground_.host_id, name->event), std::move(*document)});
        return true;
    }
    report_.last_error = report_text(document ? file + " is no signed event" : document.error().text());
    return false;
}

void EventPost::send_more() {
    if (!connected_ || pausing_ || !sent_.empty()) return;
    std::vector<OutgoingEvent> events;
    for (auto each = waiting_.begin(); each != waiting_.end() && events.size() < kAtOnce;) {
        last_sent_ = std::max(last_sent_, *each); // some of an earlier batch may have arrived already
        each = add(*each, events) ? std::next(each) : waiting_.erase(each);
    }
    if (events.empty()) {
        if (more_in_folder_) list();
        return;
    }
    answer_.in_ms(kAnswerMs);
    ground_.send(std::move(events));
}

void EventPost::result(std::string_view id, const std::string& error) {
    if (sent_.empty()) return;
    if (!error.empty()) return failed(error);
    const auto found = sent_.find(id);
    if (found == sent_.end()) return;
    waiting_.erase(found->second);
    report_.sent++;
    sent_.erase(found);
    if (sent_.empty()) arrived();
}

void EventPost::arrived() {
    answer_.off();
    backoff_.succeeded();
    report_.delivered = last_sent_;
    report_.last_error.clear();
    ground_.report_changed();
    send_more();
}

// What did arrive is not sent again; the report waits for what is before it.
void EventPost::failed(const std::string& why) {
    answer_.off();
    sent_.clear();
    report_.last_error = report_text(why);
    ground_.report_changed();
    pausing_ = true;
    again_.in_ms(backoff_.next_ms(ground_.random()));
}

} // namespace escort::courier
