#include "service/guarded_files.h"

#include <algorithm>

namespace escort {

bool GuardedFolder::guards(std::string_view file) const {
    return names.empty() || std::find(names.begin(), names.end(), file) != names.end();
}

const std::vector<GuardedFolder>& guarded_folders() {
    static const std::vector<GuardedFolder> all{
        // PID 1, udev
        {"/etc/systemd/system"},
        {"/run/systemd/system"},
        {"/etc/udev/rules.d"},
        // cron
        {"/etc/cron.d"},
        {"/etc/cron.hourly"},
        {"/etc/cron.daily"},
        {"/etc/cron.weekly"},
        {"/etc/cron.monthly"},
        {"/var/spool/cron/crontabs", {}, true},
        {"/var/spool/cron", {}, true}, // where Red Hat's cron keeps them
        // every program's loader; cron again; boot
        {"/etc", {"ld.so.preload", "crontab", "anacrontab", "rc.local", "sudoers"}},
        // who may become whom
        {"/etc/sudoers.d"},
        {"/etc/pam.d"},
        {"/root/.ssh", {"authorized_keys", "authorized_keys2"}},
    };
    return all;
}

} // namespace escort
