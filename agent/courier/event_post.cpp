#include "courier/event_post.h"

#include "approvals/key.h"
#include "base/file.h"
#include "courier/answer.h"
#include "feed/keys.h"

#include <filesystem>
#include <sys/inotify.h>
#include <unistd.h>
#include <utility>

namespace escort::courier {

namespace {

constexpr std::uint64_t kNoFolderMs = 60'000;
constexpr std::uint64_t kMoreMs = 1'000;
constexpr std::size_t kIdDigits = 32; // of the hash

} // namespace

EventPost::EventPost(Ground ground)
    : ground_(std::move(ground)),
      again_(ground_.loop,
             [this] {
                 pausing_ = false;
                 send_more();
             }),
      answer_(ground_.loop, [this] { result("", "the broker does not acknowledge"); }),
      look_(ground_.loop, [this] { watch_ ? list() : watch(); }) {}

void EventPost::start() {
    watch();
}

void EventPost::watch() {
    sd_event_source* source = nullptr;
    const int error = sd_event_add_inotify(ground_.loop, &source, ground_.folder.c_str(),
                                           IN_MOVED_TO | IN_DELETE | IN_ONLYDIR, on_change, this);
    if (error < 0) {
        set_error(ground_.folder + ": " + std::generic_category().message(-error) +
                  " (systemd-tmpfiles --create escortd.conf)");
        look_.in_ms(kNoFolderMs);
        return;
    }
    watch_.reset(source);
    report_.last_error.clear();
    list();
}

int EventPost::on_change(sd_event_source*, const inotify_event* event, void* self) {
    auto& post = *static_cast<EventPost*>(self);
    if ((event->mask & IN_IGNORED) != 0) { // the folder has gone
        post.watch_.reset();
        post.look_.in_ms(kNoFolderMs);
    } else if ((event->mask & IN_Q_OVERFLOW) != 0) {
        post.list();
    } else if (event->len > 0 && (event->mask & IN_DELETE) != 0) {
        post.removed(event->name);
    } else if (event->len > 0) {
        post.noticed(event->name);
        post.send_more();
    }
    return 0;
}

void EventPost::list() {
    waiting_.clear();
    more_in_folder_ = false;
    std::set<std::string> before;
    before.swap(delivered_);
    std::error_code error;
    std::filesystem::directory_iterator entries(ground_.folder, error);
    for (; !error && entries != std::filesystem::directory_iterator(); entries.increment(error)) {
        std::string file = entries->path().filename().string();
        if (before.contains(file))
            delivered_.insert(std::move(file));
        else
            noticed(file);
    }
    if (error) {
        delivered_.merge(before);
        set_error(ground_.folder + ": " + error.message());
        look_.in_ms(kNoFolderMs);
    }
    change_report();
    send_more();
}

void EventPost::noticed(std::string_view file) {
    if (!parse_event_name(file)) return;
    waiting_.emplace(file);
    if (waiting_.size() <= kMostWaiting) return;
    waiting_.erase(std::prev(waiting_.end())); // the first ones go first
    more_in_folder_ = true;
}

void EventPost::removed(const std::string& file) {
    waiting_.erase(file);
    if (delivered_.erase(file) == 0) return;
    change_report();
    send_more(); // which may have waited for that
}

void EventPost::connected() {
    connected_ = true;
    pausing_ = false;
    again_.off();
    if (watch_) report_.last_error.clear();
    sent_.clear();
    late_.clear();
    resume_after_.clear();
    answer_.off();
    send_more();
}

void EventPost::disconnected(const std::string& why) {
    connected_ = false;
    sent_.clear();
    answer_.off();
    set_error(why);
    change_report(); // with those of the batch that have arrived
}

EventPost::Added EventPost::add(const std::string& file, std::vector<OutgoingEvent>& to) {
    const std::string path = ground_.folder + "/" + file;
    auto document = read_file(path, kSessionEventLimit, Follow::no);
    if (!document) {
        if (::access(path.c_str(), F_OK) != 0) return Added::never; // the daemon has removed it
        set_error(document.error().text());
        return Added::not_now;
    }
    const auto name = parse_event_name(file);
    if (!name || !check_compact_jws(*document)) { // cut off by a power failure, as a rule
        set_error(file + " is no signed event");
        delivered_.insert(file); // for the daemon to remove
        return Added::never;
    }
    const std::string id = key_part(ground_.host_id) + "." + sha256_hex(*document).substr(0, kIdDigits);
    sent_.emplace(id, file);
    to.push_back({id, event_subject(ground_.host_id, name->event), std::move(*document)});
    return Added::yes;
}

void EventPost::send_more() {
    if (!connected_ || pausing_ || !sent_.empty()) return;
    failed_ = false;
    std::vector<OutgoingEvent> events;
    const std::size_t before = delivered_.size();
    auto each = waiting_.upper_bound(resume_after_);
    for (std::size_t left = waiting_.size();
         left > 0 && events.size() < kAtOnce && delivered_.size() + events.size() < kMostDelivered; left--) {
        if (each == waiting_.end()) each = waiting_.begin();
        last_tried_ = *each;
        const Added added = add(*each, events);
        failed_ = failed_ || added == Added::not_now;
        each = added == Added::never ? waiting_.erase(each) : std::next(each);
    }
    if (delivered_.size() != before) change_report();
    if (!events.empty()) {
        answer_.in_ms(kAnswerMs);
        ground_.send(std::move(events));
    } else if (failed_) {
        pause();
    } else if (waiting_.empty() && more_in_folder_) {
        look_.in_ms(kMoreMs);
    }
}

void EventPost::result(std::string_view id, const std::string& error) {
    if (id.empty()) {
        if (sent_.empty()) return;
        set_error(error);
        failed_ = true;
        late_ = std::exchange(sent_, {});
        return batch_over();
    }
    const auto found = sent_.find(id);
    if (found == sent_.end()) {
        if (const auto late = late_.find(id); late != late_.end() && error.empty()) arrived(late->second);
        return;
    }
    if (error.empty()) {
        arrived(found->second);
    } else {
        failed_ = true;
        set_error(error);
    }
    sent_.erase(found);
    if (sent_.empty()) batch_over();
}

void EventPost::arrived(const std::string& file) {
    if (waiting_.erase(file) == 0) return; // told before, or removed meanwhile
    delivered_.insert(file);
    report_.sent++;
    backoff_.succeeded();
}

void EventPost::batch_over() {
    answer_.off();
    if (!failed_) report_.last_error.clear();
    resume_after_ = failed_ ? last_tried_ : "";
    change_report();
    if (failed_)
        pause();
    else
        send_more();
}

// What was refused is tried again, after those behind it: events that a broker never takes hold up no others.
void EventPost::pause() {
    pausing_ = true;
    again_.in_ms(backoff_.next_ms(ground_.random()));
}

void EventPost::change_report() {
    report_.delivered.assign(delivered_.begin(), delivered_.end());
    ground_.report_changed();
}

void EventPost::set_error(std::string_view why) {
    report_.last_error = report_text(why);
    ground_.report_changed();
}

} // namespace escort::courier
